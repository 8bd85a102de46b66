import { describe, expect, it } from 'vitest';
import { requireMigratable } from './require-migratable.ts';

const running = { name: 'web1', epoch: 3, isMigrating: false, missingPages: 0, state: 'running' } as const;

describe('a VM that is to leave its host', () => {
  it('may, if it runs there at the epoch that is meant, whole and left alone', () => {
    expect(() => requireMigratable(running, 3)).not.toThrow();
  });

  it.each([
    ['at another epoch', { epoch: 4 }, 'epoch.stale'],
    ['while it is migrated', { isMigrating: true }, 'vm.busy'],
    ['while pages of it are missing', { missingPages: 1 }, 'vm.busy'],
    ['while it is suspended', { state: 'suspended' }, 'vm.wrong-state'],
  ] as const)('may not %s', (_when, change, code) => {
    expect(() => requireMigratable({ ...running, ...change }, 3)).toThrow(expect.objectContaining({ code }));
  });
});
