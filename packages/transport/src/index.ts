export {
  type Authentication,
  awaitTokenFile,
  ensureTokenFile,
  readTokenFile,
  tokenBytes,
} from './authentication.ts';
export { isBearer } from './bearer-token.ts';
export { ReceiveCredits, SendCredits } from './credits.ts';
export { type DialOptions, dial } from './dial.ts';
export { type Failpoint, failpoint, failpointsVariable } from './failpoint.ts';
export type { Identity } from './handshake.ts';
export { type CloseReason, type Handlers, Link } from './link.ts';
export { type Listener, type ListenOptions, listen } from './listener.ts';
export { findOwnAddress, requireOwnAddress } from './own-address.ts';
export { type RunningProgram, runProgram } from './program.ts';
export type {
  Incoming,
  NoticeInput,
  NoticeName,
  NoticeOf,
  Outgoing,
  ReplyOf,
  RequestInput,
  RequestName,
  RequestOf,
  Side,
} from './protocol-types.ts';
export { isRefusedForGood, type KeepLinkOptions, KeptLink } from './reconnecting.ts';
export { bulkKind } from './wire.ts';
