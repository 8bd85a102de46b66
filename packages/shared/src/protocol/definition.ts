/** The shape of a protocol: what the dialer may send and what the listener may send; a schema for each message. */
import type { z } from 'zod';

export interface RequestSchemas {
  readonly request: z.ZodType;
  readonly reply: z.ZodType;
}

export interface DirectionSchemas {
  readonly requests: Readonly<Record<string, RequestSchemas>>;
  readonly notices: Readonly<Record<string, z.ZodType>>;
}

export interface ProtocolDefinition {
  readonly name: string;
  /** Who may be at either end; anybody else is refused, whatever it has proven. */
  readonly roles: { readonly dialer: readonly string[]; readonly listener: readonly string[] };
  readonly fromDialer: DirectionSchemas;
  readonly fromListener: DirectionSchemas;
}
