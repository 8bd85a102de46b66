/** The header of a WebSocket frame in the memory in front of its payload. Source: RFC 6455, 5.2, "Base Framing Protocol". */
import { frameHeadroomBytes, invariant } from '@skein/shared';

/** FIN and opcode 2: the one frame of a binary message. */
export const finalBinary = 0x82;
const shortPayloadMax = 125;
const mediumPayloadMax = 0xffff;
/** In the place of the length of a longer payload, which follows in 16 or in 64 bits. */
export const mediumLength = 126;
export const longLength = 127;

/** Returns the whole frame, unmasked: a view that begins up to `frameHeadroomBytes` in front of the payload. */
export function putFrameHeader(payload: Uint8Array): Uint8Array {
  invariant(payload.byteOffset >= frameHeadroomBytes, 'a frame in place has room for its header');
  const { length } = payload;
  const headerBytes = length <= shortPayloadMax ? 2 : length <= mediumPayloadMax ? 4 : 10;
  const frame = new Uint8Array(payload.buffer, payload.byteOffset - headerBytes, headerBytes + length);
  frame[0] = finalBinary;
  frame[1] = headerBytes === 2 ? length : headerBytes === 4 ? mediumLength : longLength;
  for (let at = headerBytes - 1, rest = length; at >= 2; at--) {
    frame[at] = rest & 0xff;
    rest = Math.floor(rest / 256);
  }
  return frame;
}
