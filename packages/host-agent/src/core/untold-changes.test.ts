import { networkChangesMax } from '@skein/shared';
import { describe, expect, it } from 'vitest';
import { UntoldChanges } from './untold-changes.ts';

const down = { network: 'management', from: '10.0.1.11', to: null } as const;
const up = { network: 'management', from: null, to: '10.0.1.11' } as const;

describe('changes that could not be told', () => {
  it('are told in their order, with how long ago they were, until they are acknowledged', () => {
    const changes = new UntoldChanges();
    changes.note([down], 1000);
    changes.note([up], 13_000);
    const told = changes.tell(14_000);
    expect(told).toEqual([
      { ...down, sequence: 1, agoMs: 13_000 },
      { ...up, sequence: 2, agoMs: 1000 },
    ]);
    expect(changes.tell(15_000)).toMatchObject([{ agoMs: 14_000 }, { agoMs: 2000 }]);
    changes.acknowledged(told);
    expect(changes.tell(16_000)).toEqual([]);
  });

  it('that came while others were being told are told next, under their own number', () => {
    const changes = new UntoldChanges();
    changes.note([down], 0);
    const told = changes.tell(0);
    changes.note([up], 1);
    changes.acknowledged(told);
    expect(changes.tell(1)).toEqual([{ ...up, sequence: 2, agoMs: 0 }]);
  });

  it('are bounded: the oldest go first', () => {
    const changes = new UntoldChanges();
    for (let index = 0; index < networkChangesMax + 10; index++)
      changes.note([index % 2 === 0 ? down : up], index);
    const told = changes.tell(1000);
    expect(told).toHaveLength(networkChangesMax);
    expect(told.map(({ sequence }) => sequence).at(0)).toBe(11);
    expect(told.map(({ sequence }) => sequence).at(-1)).toBe(networkChangesMax + 10);
  });
});
