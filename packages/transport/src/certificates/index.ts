export { type JoinPoint, joinWithToken, renewCertificate } from './certificate-client.ts';
export {
  type CertifiedName,
  certifiedNameOf,
  certifiedUri,
  type ProgramKind,
  programKinds,
} from './certified-name.ts';
export { type Credentials, factsOf, readCredentials, writeCredentials } from './credentials.ts';
export {
  authorityHashOf,
  formatJoinToken,
  freshJoinToken,
  hashOfSecret,
  isSecretOf,
  type JoinToken,
  parseJoinToken,
} from './join-token.ts';
export { isPossessionProven } from './key-pair.ts';
export { becomeMember, type Membership } from './membership.ts';
export { certifiedPeer, tlsCommon } from './tls.ts';
