/**
 * What stands in one WebSocket message. Byte 0 tells control (MessagePack behind it) from bulk (a fixed layout of
 * shared/frame, whose own first byte is the bulk kind, so that nothing is copied to prepend it).
 */
import { ErrorCodeSchema, OperationError, type Problem } from '@skein/shared';
import { Packr, Unpackr } from 'msgpackr';
import { z } from 'zod';
import { flawOfMessagePack } from './message-pack.ts';

export const controlKind = 1;
export const bulkKind = 2;

const packr = new Packr({ useRecords: false, variableMapSize: true });
// Views of a message would keep it alive whole, and cross to workers whole.
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, copyBuffers: true });

/** An error is a sentence or two, with some figures. */
const problemTextMax = 8192;
const problemBytesMax = 48 << 10;

const Name = z.string().max(100);
const Id = z.int().min(1);

const ProblemMessage = z.strictObject({
  code: ErrorCodeSchema,
  message: z.string().max(problemTextMax),
  details: z.record(z.string(), z.unknown()),
});

/** Everything that is said after the handshake. Bodies are checked against the protocol's own schemas. */
export const ControlMessage = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('request'), id: Id, name: Name, body: z.unknown() }),
  z.strictObject({ type: z.literal('reply'), id: Id, body: z.unknown() }),
  z.strictObject({ type: z.literal('problem'), id: Id, problem: ProblemMessage }),
  z.strictObject({ type: z.literal('notice'), name: Name, body: z.unknown() }),
]);
export type ControlMessage = z.infer<typeof ControlMessage>;

export function encodeControl(message: unknown): Uint8Array {
  const packed = packr.pack(message);
  const frame = new Uint8Array(packed.length + 1);
  frame[0] = controlKind;
  frame.set(packed, 1);
  return frame;
}

/** An error as an answer; what it has to say is bounded, and details that cannot be said are left out. */
export function encodeProblem(id: number, { code, message, details }: Problem): Uint8Array {
  const problem = { code, message: message.slice(0, problemTextMax), details };
  try {
    const frame = encodeControl({ type: 'problem', id, problem });
    if (frame.length <= problemBytesMax && flawOfMessagePack(frame.subarray(1)) === null) return frame;
  } catch {
    // A value without a form in MessagePack, such as an integer of 80 bits.
  }
  return encodeControl({ type: 'problem', id, problem: { ...problem, details: {} } });
}

/** @throws OperationError link.bad-message */
export function decodeControl(frame: Uint8Array): unknown {
  if (frame[0] !== controlKind) throw badMessage('a message is neither control nor bulk');
  const packed = frame.subarray(1);
  const flaw = flawOfMessagePack(packed);
  if (flaw !== null) throw badMessage(`a control message is not as expected: ${flaw}`);
  try {
    return unpackr.unpack(packed);
  } catch (cause) {
    throw badMessage('a control message is not MessagePack', cause);
  }
}

export function badMessage(reason: string, cause?: unknown): OperationError {
  return new OperationError({
    code: 'link.bad-message',
    message: `the peer broke the protocol: ${reason}`,
    cause,
  });
}
