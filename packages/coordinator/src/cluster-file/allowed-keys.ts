/** Which keys a schema allows at a place, for whoever wrote another one. */
import { z } from 'zod';

/** Sorted as the schema has them; empty where no object stands. Lists are entered at any index. */
export function allowedKeys(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  let here = unwrapped(schema);
  for (const step of path) {
    const next = here instanceof z.ZodArray ? here.element : shapeOf(here)[String(step)];
    if (next === undefined) return [];
    here = unwrapped(next as z.ZodType);
  }
  return Object.keys(shapeOf(here));
}

function shapeOf(schema: z.ZodType): Readonly<Record<string, unknown>> {
  return schema instanceof z.ZodObject ? schema.shape : {};
}

function unwrapped(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)
    return unwrapped(schema.unwrap() as z.ZodType);
  return schema;
}
