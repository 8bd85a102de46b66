import { loadCore } from '@skein/machine';
import { expect, it } from 'vitest';
import { rehearseTransfer } from './rehearsal.ts';

it('a rehearsal goes all the way to where a lease would pass, and ends', async () => {
  const rehearsal = {
    role: 'rehearsal',
    host: 'h1',
    bootId: '0'.repeat(32),
    authentication: { kind: 'none' },
    core: await loadCore(),
    migrationAddress: '127.0.0.1',
  } as const;
  await expect(rehearseTransfer(rehearsal, new AbortController().signal)).resolves.toBeUndefined();
});
