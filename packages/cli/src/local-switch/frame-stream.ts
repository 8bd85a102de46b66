/**
 * Ethernet frames on a stream of bytes: two bytes of length, big-endian, then the frame. What a stranger sends is bounded before
 * anything is kept: a length that no frame has ends the stream.
 */
import { ethernetHeaderBytes } from '@skein/network';

const lengthBytes = 2;
/** Payload of 1,500 bytes and a VLAN tag. */
export const frameBytesMax = ethernetHeaderBytes + 4 + 1500;

/** A frame as it goes onto the stream. */
export function encodeFrame(frame: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(lengthBytes + frame.length);
  new DataView(bytes.buffer).setUint16(0, frame.length);
  bytes.set(frame, lengthBytes);
  return bytes;
}

/** Puts frames together from pieces of any size. */
export class FrameDecoder {
  #rest: Buffer = Buffer.alloc(0);

  /** The frames that are whole now. @throws RangeError for a length that no frame has */
  push(piece: Uint8Array): Uint8Array[] {
    let rest = Buffer.concat([this.#rest, piece]);
    const frames: Uint8Array[] = [];
    while (rest.length >= lengthBytes) {
      const length = rest.readUInt16BE(0);
      if (length < ethernetHeaderBytes || length > frameBytesMax)
        throw new RangeError(`a frame of ${length} bytes`);
      if (rest.length < lengthBytes + length) break;
      frames.push(Uint8Array.from(rest.subarray(lengthBytes, lengthBytes + length)));
      rest = rest.subarray(lengthBytes + length);
    }
    this.#rest = rest;
    return frames;
  }
}
