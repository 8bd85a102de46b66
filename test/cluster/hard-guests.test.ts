/** Guests that change what a migration carries in the hardest ways: page tables, code, and the rings of a device. */
import { type MigrationMode, type MigrationRecord, MigrationMode as modes } from '@skein/shared';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BedVm } from '../support/agent-bed.ts';
import { BedGuest } from '../support/bed-guest.ts';
import { until } from '../support/until.ts';

const migrationsPerMode = 5;
const testTimeoutMs = 400_000;

let guest: BedGuest;

beforeAll(async () => {
  guest = await BedGuest.start();
});
afterAll(() => guest.bed.close());

/** Ten times to the other host; all of the memory is there before it moves again. */
async function migrateRepeatedly(mode: MigrationMode, afterEach: () => Promise<void>): Promise<void> {
  for (let time = 0; time < migrationsPerMode; time++) {
    expectOneState(await guest.bed.migrate(guest.vm, guest.otherHost, { mode }));
    await until('its host says that all is there', () => {
      const report = guest.bed.report(guest.vm.host, guest.vm);
      return report?.state === 'running' && report.missingPages === 0;
    });
    await afterEach();
  }
}

function expectOneState(record: MigrationRecord): void {
  const { stateHashSource, stateHashTarget, stateHashSourceFull, reason } = record;
  expect(reason).toBeNull();
  expect([stateHashTarget, stateHashSourceFull]).toEqual([stateHashSource, stateHashSource]);
}

/** The last figure that a program said once a second; 0 before it said any. */
function lastCount(pattern: RegExp, vm: BedVm = guest.vm): number {
  return Number([...guest.bed.console(vm).matchAll(pattern)].at(-1)?.[1] ?? 0);
}

async function goesOn(what: string, pattern: RegExp): Promise<void> {
  const before = lastCount(pattern);
  await until(`${what} goes on`, () => lastCount(pattern) > before);
}

describe.each([
  { name: 'a storm of page tables', command: 'remapper 256', verdict: /remapper: verified \d+ rounds/ },
  {
    name: 'code that writes itself',
    command: 'codewriter 1024',
    verdict: /codewriter: verified 1024 functions/,
  },
])('a guest with $name', ({ command, verdict }) => {
  const [program = ''] = command.split(' ');
  const count = new RegExp(`^${program}: (\\d+) \\d+\\s*$`, 'gm');

  it.each(modes.options)(
    `is migrated in mode %s, time and again, and finds everything as it left it`,
    async (mode) => {
      await guest.run(`${command} &`, new RegExp(`^${program}: \\d+ \\d+`, 'm'));
      await migrateRepeatedly(mode, () => goesOn(program, count));
      const end = new RegExp(`${verdict.source}|MISMATCH|refused by the kernel`);
      const said = await guest.run(`killall ${program}`, end);
      expect(said).toMatch(verdict);
      expect(guest.bed.console(guest.vm)).not.toMatch(/MISMATCH/);
      await guest.expectAlive();
    },
    testTimeoutMs,
  );
});

describe('a guest that another one floods with datagrams as fast as the switch takes them', () => {
  const port = 9000;
  const received = /^udpsink: received (\d+) lost \d+ late \d+ again \d+ broken \d+\s*$/gm;
  let sender: BedVm;

  beforeAll(async () => {
    sender = await guest.bed.bootVm('web2', 'h1', 2);
    await guest.run(`udpsink ${port} &`, /udpsink: received 0/);
    guest.bed.type(sender, `udpflood ${guest.bed.addressesOf(1).address} ${port} &\n`);
    await until('the flood is there', () => lastCount(received) > 1000);
  });

  it.each(modes.options)(
    'is migrated in mode %s, time and again, and goes on receiving',
    async (mode) => {
      await migrateRepeatedly(mode, () => goesOn('the sink', received));
      await guest.expectAlive();
    },
    testTimeoutMs,
  );

  it('has received nothing twice and nothing that is not whole, in order', async () => {
    guest.bed.type(sender, 'killall udpflood\n');
    await until('the sender has ended', () => /udpflood: sent \d+/.test(guest.bed.console(sender)));
    const said = await guest.run('killall udpsink; wait; echo ended $((40 + 2))', /ended 42/);
    const last = [...said.matchAll(/lost (\d+) late (\d+) again (\d+) broken (\d+)/g)].at(-1) ?? [];
    const [, lost, late, again, broken] = last.map(Number);
    const sent = Number(/udpflood: sent (\d+)/.exec(guest.bed.console(sender))?.[1]);
    expect(lastCount(received) + (lost ?? 0)).toBeLessThanOrEqual(sent);
    expect({ late, again, broken }).toEqual({ late: 0, again: 0, broken: 0 });
    // What the kernel found broken never came to the sink.
    const statistics = await guest.run('grep Udp: /proc/net/snmp; echo done $((1))', /done 1/);
    const [names, values] = [...statistics.matchAll(/^Udp: (.*?)\s*$/gm)].map(([, line = '']) =>
      line.split(' '),
    );
    expect(values?.[names?.indexOf('InCsumErrors') ?? -1]).toBe('0');
  });
});
