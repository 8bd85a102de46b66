import { loadCore } from '@skein/machine';
import { expect, it } from 'vitest';
import { arrivalMachine, rehearseArrival, rehearsedVm, rehearseRun } from './rehearsal.ts';
import type { VmEvent } from './vm-channel.ts';

it('a rehearsed run prints, sleeps and powers itself off, as guests do', async () => {
  const events: VmEvent[] = [];
  rehearseRun(rehearsedVm(await loadCore(), (event) => events.push(event)));
  const printed = events.flatMap((event) => (event.type === 'console' ? [...event.bytes] : []));
  expect(Buffer.from(printed).toString()).toBe(`${'t'.repeat(11)}\n`.repeat(200));
  expect(events.filter(({ type }) => type === 'console').length).toBeGreaterThan(50);
  expect(events.at(-1)).toEqual({ type: 'power', action: 'off', exitCode: 0 });
});

it('a rehearsed arrival takes over as much as a guest that has run for a while has, and is none the worse for it', async () => {
  const machine = arrivalMachine(await loadCore());
  const state = machine.saveState();
  expect(state.length).toBeGreaterThan(14_000);
  rehearseArrival(machine);
  expect(Buffer.from(machine.saveState()).equals(state)).toBe(true);
});
