import { z } from 'zod';

/** Bytes in a message, whatever memory they stand in. */
export const Bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'must be bytes');

export function bytesUpTo(bytesMax: number): z.ZodType<Uint8Array, Uint8Array> {
  return Bytes.refine((bytes) => bytes.length <= bytesMax, `must be at most ${bytesMax} bytes`);
}
