/**
 * Who a certificate says that its holder is. Hosts' addresses change, so a certificate names none: its subject is a URI,
 * `skein://agent/h1` (RFC 5280, 4.2.1.6, uniformResourceIdentifier), and nothing else is looked at.
 */
import { Name } from '@skein/shared';

export const programKinds = ['agent', 'storage', 'coordinator'] as const;
/** A program of a cluster, as tokens and certificates know it. */
export type ProgramKind = (typeof programKinds)[number];

export interface CertifiedName {
  readonly kind: ProgramKind;
  /** A host's name; `storage`, `coordinator`. */
  readonly name: string;
}

/** An agent's heartbeats and transfers have links of their own, in roles of their own. */
const rolesOf: Readonly<Record<ProgramKind, readonly string[]>> = {
  agent: ['agent', 'agent-heartbeat', 'transfer'],
  storage: ['storage'],
  coordinator: ['coordinator'],
};

export function certifiedUri({ kind, name }: CertifiedName): string {
  return `skein://${kind}/${name}`;
}

/**
 * From a certificate's subject alternative names as node:crypto and node:tls print them. Null unless they are just one
 * of our URIs: no name is searched for among others.
 */
export function certifiedNameOf(subjectAltNames: string | undefined): CertifiedName | null {
  const [, kind, name] = /^URI:skein:\/\/([a-z]+)\/([a-z0-9-]+)$/.exec(subjectAltNames ?? '') ?? [];
  const known = programKinds.find((one) => one === kind);
  return known === undefined || !Name.safeParse(name).success ? null : { kind: known, name: name ?? '' };
}

/** Whether a link's end may say this of itself. */
export function mayClaim(
  certified: CertifiedName,
  { role, name }: { readonly role: string; readonly name: string },
): boolean {
  return certified.name === name && rolesOf[certified.kind].includes(role);
}
