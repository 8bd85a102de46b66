/**
 * What zod does when a schema checks its first object, done before there is one: it writes the function that checks, in JavaScript (zod 4,
 * core/schemas.ts: $ZodObjectJIT), and walks the schema to see whether it refers to itself (core/memoizer.ts). A message that comes for the first time
 * waits for that, a tenth to half a millisecond for each object in it; some come while a guest stands.
 */
import type { DirectionSchemas, ProtocolDefinition } from '@skein/shared';
import { z } from 'zod';

const compiled = new WeakSet<ProtocolDefinition>();

/** Of the bodies of a protocol's messages, in this thread: once, 1 to 11 ms. */
export function compileSchemas(protocol: ProtocolDefinition): void {
  if (compiled.has(protocol)) return;
  compiled.add(protocol);
  const seen = new Set<z.core.$ZodType>();
  for (const message of [...messagesOf(protocol.fromDialer), ...messagesOf(protocol.fromListener)])
    compile(message, seen);
}

function messagesOf({ requests, notices }: DirectionSchemas): z.core.$ZodType[] {
  return [
    ...Object.values(requests).flatMap(({ request, reply }) => [request, reply]),
    ...Object.values(notices),
  ];
}

function compile(schema: z.core.$ZodType, seen: Set<z.core.$ZodType>): void {
  if (seen.has(schema)) return;
  seen.add(schema);
  for (const part of partsOf(schema._zod.def)) compile(part, seen);
  if (schema instanceof z.core.$ZodObject) z.safeParse(schema, {});
}

/** Schemas in a schema's definition, whatever its kind: alone, in a list, or by the names of an object's properties. */
function partsOf(definition: object): z.core.$ZodType[] {
  return Object.values(definition)
    .flatMap((value: unknown) => (isPlain(value) ? Object.values(value) : value))
    .filter((value: unknown) => value instanceof z.core.$ZodType);
}

function isPlain(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
