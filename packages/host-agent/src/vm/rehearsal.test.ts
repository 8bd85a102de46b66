import { loadCore } from '@skein/machine';
import { expect, it } from 'vitest';
import { rehearseRun } from './rehearsal.ts';
import type { VmEvent } from './vm-channel.ts';

it('a rehearsed run prints, sleeps and powers itself off, as guests do', async () => {
  const events: VmEvent[] = [];
  rehearseRun(await loadCore(), (event) => events.push(event));
  const printed = events.flatMap((event) => (event.type === 'console' ? [...event.bytes] : []));
  expect(Buffer.from(printed).toString()).toBe(`${'t'.repeat(11)}\n`.repeat(200));
  expect(events.filter(({ type }) => type === 'console').length).toBeGreaterThan(50);
  expect(events.at(-1)).toEqual({ type: 'power', action: 'off', exitCode: 0 });
});
