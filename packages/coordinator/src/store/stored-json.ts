/** JSON columns: what is read back is checked like anything from outside, for a disk may lie. */
import { OperationError } from '@skein/shared';
import type { z } from 'zod';

/** @throws OperationError store.corrupt */
export function readStored<T>(schema: z.ZodType<T>, text: unknown, what: string): T {
  try {
    return schema.parse(JSON.parse(String(text)));
  } catch (cause) {
    throw new OperationError({
      code: 'store.corrupt',
      message: `${what} in the inventory is not what was written`,
      cause,
    });
  }
}
