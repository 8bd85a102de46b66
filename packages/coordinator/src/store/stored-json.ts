/**
 * JSON columns: what is read back is checked like anything from outside, for a disk may lie; and what could not be read
 * back is not written, for it would keep the coordinator from ever starting again.
 */
import { OperationError } from '@skein/shared';
import { z } from 'zod';

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

/** @throws OperationError request.invalid: the value does not fit its schema, and nothing is written */
export function toStored<T>(schema: z.ZodType<T>, value: T, what: string): string {
  const text = JSON.stringify(value);
  const parsed = schema.safeParse(JSON.parse(text));
  if (parsed.success) return text;
  throw new OperationError({
    code: 'request.invalid',
    message: `${what}: ${z.prettifyError(parsed.error).slice(0, 1000)}`,
    cause: parsed.error,
  });
}
