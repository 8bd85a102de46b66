/** Frames as ws makes them, so that we do not check ourselves against our own reading of RFC 6455. */
import * as ws from 'ws';

/** Exported by ws, and unknown to its types. */
const { Sender } = ws as unknown as {
  readonly Sender: { frame(data: Buffer, options: Readonly<Record<string, unknown>>): Buffer[] };
};

/** `first`: the frame's first byte, of which FIN and the opcode are taken. Unmasked. */
export function frameByWs(data: Buffer, first: number): Buffer {
  const fin = (first & 0x80) !== 0;
  const options = { fin, opcode: first & 0x0f, mask: false, readOnly: true, rsv1: false };
  return Buffer.concat(Sender.frame(data, options));
}
