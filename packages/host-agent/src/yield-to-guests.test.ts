import { readdirSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { expect, it } from 'vitest';
import { yieldToGuests } from './yield-to-guests.ts';

it.runIf(process.platform === 'linux')('helper threads yield to all others, whose priority stays', () => {
  const before = getPriority();
  const lowered = yieldToGuests();
  const prioritiesOf = (isHelper: boolean): readonly number[] =>
    readdirSync('/proc/self/task')
      .filter(
        (task) => (readFileSync(`/proc/self/task/${task}/comm`, 'utf8').trim() === 'V8Worker') === isHelper,
      )
      .map((task) => getPriority(Number(task)));
  expect(lowered).toBeGreaterThan(0);
  expect(prioritiesOf(true)).toEqual(Array.from({ length: lowered }, () => before + 5));
  expect(new Set(prioritiesOf(false))).toEqual(new Set([before]));
});
