/**
 * What stands in one WebSocket message. Byte 0 tells control (MessagePack behind it) from bulk (a fixed layout of
 * shared/frame, whose own first byte is the bulk kind, so that nothing is copied to prepend it).
 */
import { ErrorCodeSchema, OperationError } from '@skein/shared';
import { Packr, Unpackr } from 'msgpackr';
import { z } from 'zod';

export const controlKind = 1;
export const bulkKind = 2;

const packr = new Packr({ useRecords: false, variableMapSize: true });
// Views of a message would keep it alive whole, and cross to workers whole.
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, copyBuffers: true });

const Name = z.string().max(100);
const Id = z.int().min(1);

const ProblemMessage = z.strictObject({
  code: ErrorCodeSchema,
  message: z.string().max(8192),
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

/** @throws OperationError link.bad-message */
export function decodeControl(frame: Uint8Array): unknown {
  if (frame[0] !== controlKind) throw badMessage('a message is neither control nor bulk');
  try {
    return unpackr.unpack(frame.subarray(1));
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
