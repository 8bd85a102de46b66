import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { freshAuthority } from './certificates.fixture.ts';
import { certifiedNameOf, certifiedUri, mayClaim, programKinds } from './certified-name.ts';

describe('a certified name', () => {
  it('is read from a certificate as it was put in', async () => {
    const authority = await freshAuthority();
    for (const kind of programKinds) {
      const validity = { nowMs: Date.now(), lifeMs: 60_000 };
      const { certificate } = await authority.ownCredentials({ kind, name: 'h-1' }, validity);
      const parsed = new X509Certificate(certificate);
      expect(certifiedNameOf(parsed.subjectAltName)).toEqual({ kind, name: 'h-1' });
      expect(parsed.checkIssued(new X509Certificate(authority.certificate))).toBe(true);
      expect(parsed.ca).toBe(false);
    }
  });

  it('is one URI of ours and nothing beside it', () => {
    const uri = certifiedUri({ kind: 'agent', name: 'h1' });
    expect(certifiedNameOf(`URI:${uri}`)).toEqual({ kind: 'agent', name: 'h1' });
    const others = [
      undefined,
      '',
      uri,
      `DNS:${uri}`,
      `URI:${uri}, URI:skein://coordinator/coordinator`,
      `DNS:h1, URI:${uri}`,
      'URI:skein://root/h1',
      'URI:skein://agent/H1',
      'URI:skein://agent/',
      `URI:skein://agent/${'a'.repeat(64)}`,
      'URI:"skein://agent/h1"',
    ];
    for (const other of others) expect(certifiedNameOf(other)).toBeNull();
  });

  it('lets nobody claim another name or another kind’s role', () => {
    const role = fc.constantFrom('agent', 'agent-heartbeat', 'transfer', 'storage', 'coordinator', 'client');
    fc.assert(
      fc.property(fc.constantFrom(...programKinds), role, fc.boolean(), (kind, claimed, isOwnName) => {
        const isOwnRole =
          kind === 'agent' ? ['agent', 'agent-heartbeat', 'transfer'].includes(claimed) : claimed === kind;
        const claim = { role: claimed, name: isOwnName ? 'h1' : 'h2' };
        expect(mayClaim({ kind, name: 'h1' }, claim)).toBe(isOwnRole && isOwnName);
      }),
    );
  });
});
