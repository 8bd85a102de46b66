import { randomBytes } from 'node:crypto';
import { loadCore } from '@skein/machine';
import { describe, expect, it } from 'vitest';
import { rehearseTransfer } from './rehearsal.ts';
import { SourceTransfer } from './source-transfer.ts';
import { TargetTransfer } from './target-transfer.ts';

const rehearsalOn = async (migrationAddress: string) => ({
  role: 'rehearsal' as const,
  host: 'h1',
  bootId: randomBytes(16).toString('hex'),
  authentication: { kind: 'none' as const },
  core: await loadCore(),
  migrationAddress,
});

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

  it('ends early when there is something real to do', async () => {
    const serious = new AbortController();
    const rehearsed = rehearseTransfer(await rehearsalOn('127.0.0.1'), serious.signal);
    serious.abort();
    const { source, target } = await rehearsed;
    expect(source.reason).toMatch(/it gets serious/);
    expect(target.outcome).not.toBe('committed');
  });

  it('says why it cannot, where the migration network is away', async () => {
    const rehearsed = rehearseTransfer(await rehearsalOn('203.0.113.0/24'), new AbortController().signal);
    await expect(rehearsed).rejects.toMatchObject({ code: 'address.unavailable' });
  });
});
