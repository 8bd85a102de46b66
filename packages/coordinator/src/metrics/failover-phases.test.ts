import { describe, expect, it } from 'vitest';
import { failoverPhases } from './failover-phases.ts';

const step = (name: string, atMs: number) => ({ name, atMs, detail: '' });
const loss = [step('last heartbeat', 1000), step('suspected', 1200), step('declared failed', 2700)];

describe('the phases of a failover', () => {
  it('go from the last heartbeat to the guest’s own word', () => {
    const timeline = [...loss, step('placed', 2710), step('first step', 3100), step('ready', 6100)];
    expect(failoverPhases(timeline)).toEqual({ detection: 1700, start: 400, total: 2100, ready: 3000 });
  });

  it('are those that came to pass', () => {
    expect(failoverPhases(loss)).toEqual({ detection: 1700 });
  });

  it('are none where no host failed: a guest that ended is restarted too', () => {
    expect(failoverPhases([step('placed', 1), step('first step', 2)])).toEqual({});
  });

  it('are left out where the wall clock was set back between them', () => {
    expect(failoverPhases([...loss, step('first step', 900)])).toEqual({ detection: 1700 });
  });
});
