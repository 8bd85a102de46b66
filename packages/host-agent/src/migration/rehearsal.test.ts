import { randomBytes } from 'node:crypto';
import { loadCore } from '@skein/machine';
import { storageProtocol } from '@skein/shared';
import { type Listener, listen } from '@skein/transport';
import { describe, expect, it, vi } from 'vitest';
import { rehearseTransfer } from './rehearsal.ts';
import { SourceTransfer } from './source-transfer.ts';
import { TargetTransfer } from './target-transfer.ts';
import { openTransferLeases } from './transfer-leases.ts';

const rehearsalOn = async (migrationAddress: string, storagePort = 1) => ({
  role: 'rehearsal' as const,
  host: 'h1',
  bootId: randomBytes(16).toString('hex'),
  authentication: { kind: 'none' as const },
  core: await loadCore(),
  migrationAddress,
  storageAddress: '127.0.0.1',
  // Where nobody listens, unless it is said.
  storage: { address: '127.0.0.1', port: storagePort },
});

const neverAsked = (): never => {
  throw new Error('a rehearsal changes no lease');
};

/** A storage service of which a rehearsal may ask one thing alone. */
async function storageService(
  read: (vm: string) => { lease: null } | Promise<never>,
): Promise<Listener<typeof storageProtocol>> {
  return await listen({
    host: '127.0.0.1',
    port: 0,
    protocol: storageProtocol,
    own: { role: 'storage', name: 'storage', bootId: randomBytes(16).toString('hex') },
    authentication: { kind: 'none' },
    handlers: {
      requests: {
        'lease.read': ({ vm }) => read(vm),
        'lease.acquire': neverAsked,
        'lease.renew': neverAsked,
        'lease.pass': neverAsked,
        'lease.release': neverAsked,
        'lease.fence': neverAsked,
        'lease.list': neverAsked,
        'coordinator.claim': neverAsked,
      },
      notices: {},
    },
  });
}

describe('the rehearsal of a transfer', () => {
  it('goes the whole way: rounds, suspension, a lease of nobody that passes, and the hash of what was left', async () => {
    const { source, target, transfers } = await rehearseTransfer(
      await rehearsalOn('127.0.0.1'),
      new AbortController().signal,
    );
    expect(source).toMatchObject({ outcome: 'committed', epochAfter: source.epochBefore + 1 });
    expect(source.stateHashSourceFull).toBe(source.stateHashSource);
    expect(source.rounds.length).toBeGreaterThan(4);
    expect(source.zeroPages).toBeGreaterThan(0);
    expect(source.deltaPages).toBeGreaterThan(0);
    expect(target.outcome).toBe('committed');
    expect(target.stateHashTarget).toBe(source.stateHashSource);
    expect(transfers).toEqual([expect.any(SourceTransfer), expect.any(TargetTransfer)]);
  });

  it('asks the storage service once, over the connection on which a lease would pass, and hangs up', async () => {
    const asked: string[] = [];
    const storage = await storageService((vm) => {
      asked.push(vm);
      return { lease: null };
    });
    try {
      const rehearsal = await rehearsalOn('127.0.0.1', storage.port);
      const { source } = await rehearseTransfer(rehearsal, new AbortController().signal);
      expect(source.outcome).toBe('committed');
      expect(asked).toEqual([source.vm]);
      await vi.waitFor(() => expect(storage.links.size).toBe(0), 5000);
    } finally {
      await storage.close();
    }
  });

  it('ends early when there is something real to do', async () => {
    const serious = new AbortController();
    const rehearsed = rehearseTransfer(await rehearsalOn('127.0.0.1'), serious.signal);
    serious.abort();
    const { source, target } = await rehearsed;
    expect(source.reason).toMatch(/it gets serious/);
    expect(target.outcome).not.toBe('committed');
  });

  it('ends early also while a storage service owes it an answer', async () => {
    const serious = new AbortController();
    const storage = await storageService(() => {
      serious.abort();
      return new Promise<never>(() => {});
    });
    try {
      const { source, target } = await rehearseTransfer(
        await rehearsalOn('127.0.0.1', storage.port),
        serious.signal,
      );
      expect(source.reason).toMatch(/it gets serious/);
      expect(target.outcome).not.toBe('committed');
    } finally {
      await storage.close();
    }
  });

  it('says why it cannot, where the migration network is away, and leaves no connection', async () => {
    const storage = await storageService(() => ({ lease: null }));
    try {
      const rehearsal = await rehearsalOn('203.0.113.0/24', storage.port);
      const rehearsed = rehearseTransfer(rehearsal, new AbortController().signal);
      await expect(rehearsed).rejects.toMatchObject({ code: 'address.unavailable' });
      // Dialed later: one that was left would be made before it.
      const later = openTransferLeases(rehearsal);
      await vi.waitFor(() => later.read('vm-0000000000000001'), 5000);
      expect(storage.links.size).toBe(1);
      later.close();
    } finally {
      await storage.close();
    }
  });
});
