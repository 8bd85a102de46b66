/** What a protocol definition means for the two ends of a link, as types. */
import type { DirectionSchemas, ProtocolDefinition } from '@skein/shared';
import type { z } from 'zod';

export type RequestName<D extends DirectionSchemas> = keyof D['requests'] & string;
export type NoticeName<D extends DirectionSchemas> = keyof D['notices'] & string;

export type RequestOf<D extends DirectionSchemas, N extends RequestName<D>> = z.infer<
  NonNullable<D['requests'][N]>['request']
>;
/** What a caller may write: defaults may be left out. */
export type RequestInput<D extends DirectionSchemas, N extends RequestName<D>> = z.input<
  NonNullable<D['requests'][N]>['request']
>;
export type ReplyOf<D extends DirectionSchemas, N extends RequestName<D>> = z.infer<
  NonNullable<D['requests'][N]>['reply']
>;
export type NoticeOf<D extends DirectionSchemas, N extends NoticeName<D>> = z.infer<
  NonNullable<D['notices'][N]>
>;
export type NoticeInput<D extends DirectionSchemas, N extends NoticeName<D>> = z.input<
  NonNullable<D['notices'][N]>
>;

export type Side = 'dialer' | 'listener';

/** What this side sends, and what it receives. */
export type Outgoing<P extends ProtocolDefinition, S extends Side> = S extends 'dialer'
  ? P['fromDialer']
  : P['fromListener'];
export type Incoming<P extends ProtocolDefinition, S extends Side> = S extends 'dialer'
  ? P['fromListener']
  : P['fromDialer'];
