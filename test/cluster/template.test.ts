/** Guests that start as clones of a template, between two real agents: what they share, and what they must not. */
import { existsSync, openSync, readdirSync, readFileSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { VmReport } from '@skein/shared';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentBed, type BedVm } from '../support/agent-bed.ts';
import { until } from '../support/until.ts';

let bed: AgentBed;
let first: BedVm;

beforeAll(async () => {
  bed = await AgentBed.start(['h1', 'h2']);
  first = await bed.bootVm('first', 'h1', 1);
});
afterAll(() => bed.close());

/** Runs a command in a guest's shell; resolves with what the pattern matched in what it printed. */
async function ask(vm: BedVm, command: string, pattern: RegExp): Promise<RegExpExecArray> {
  const before = bed.console(vm).length;
  bed.type(vm, `${command}\n`);
  return await until(
    `${command} prints ${pattern} in ${vm.name}`,
    () => pattern.exec(bed.console(vm).slice(before)),
    60_000,
  );
}

async function reportOf(vm: BedVm): Promise<VmReport> {
  return await until(`${vm.host} reports that ${vm.name} is ready`, () => {
    const report = bed.report(vm.host, vm);
    return report?.readyMs === null ? undefined : report;
  });
}

const templateFolder = (host: string): string => join(bed.folder, host, 'templates');

function templatesOf(host: string): string[] {
  const folder = templateFolder(host);
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.template')) : [];
}

/** What makes a guest itself. */
async function selfOf(vm: BedVm): Promise<Record<string, string>> {
  const show = async (command: string): Promise<string> =>
    (await ask(vm, `echo "[$(${command})]"`, /^\[([^\]]+)\]\r?$/m))[1] ?? '';
  return {
    hostname: await show('hostname'),
    mac: await show('cat /sys/class/net/eth0/address'),
    bootId: await show('cat /proc/sys/kernel/random/boot_id'),
    random: await show('head -c 16 /dev/random | md5sum'),
    urandom: await show('head -c 16 /dev/urandom | md5sum'),
  };
}

describe('a template', () => {
  let one: BedVm;
  let two: BedVm;

  it('is left by the first guest that boots, which goes on as itself', async () => {
    expect(await reportOf(first)).toMatchObject({ state: 'running', startedFrom: 'kernel' });
    await until('there is a template', () => templatesOf('h1').length === 1);
    expect(bed.console(first)).toMatch(/Linux version/);
    await ask(first, 'cat /proc/cmdline', /damon_stat\.enabled=N\r?$/m);
  });

  it('is not left by a guest to whom somebody typed before it knew who it is: all its clones would read that', async () => {
    const typed = await bed.startVm('typed', 'h2', 14);
    bed.type(typed, 'echo to you alone\n');
    expect(await reportOf(typed)).toMatchObject({ state: 'running', startedFrom: 'kernel' });
    await ask(typed, 'echo "[$(hostname)]"', /^\[typed\]\r?$/m);
    expect(templatesOf('h2')).toEqual([]);
  });

  it('starts guests that boot no kernel, answer a ping, and know their name, kernel and the time', async () => {
    one = await bed.bootVm('one', 'h1', 2);
    two = await bed.bootVm('two', 'h1', 3);
    for (const clone of [one, two]) {
      const report = await reportOf(clone);
      expect(report).toMatchObject({ state: 'running', startedFrom: 'template' });
      expect(report.kernel).toBe((await reportOf(first)).kernel);
      expect(bed.console(clone)).not.toMatch(/Linux version/);
    }
    await ask(first, 'ping -c 3 10.77.0.12', /3 packets received/);
    await ask(one, 'ping -c 3 10.77.0.13', /3 packets received/);
    const guestSeconds = Number((await ask(two, 'date +at-%s', /^at-(\d+)\r?\n/m))[1]);
    expect(Math.abs(guestSeconds - Date.now() / 1000)).toBeLessThan(60);
  });

  it('gives no two guests the same name, MAC, boot id or random numbers', async () => {
    const selves = [await selfOf(first), await selfOf(one), await selfOf(two)];
    for (const trait of ['hostname', 'mac', 'bootId', 'random', 'urandom']) {
      const values = selves.map((self) => self[trait]);
      expect(new Set(values).size, `${trait}: ${values.join(', ')}`).toBe(3);
    }
    expect(selves[1]).toMatchObject({ hostname: 'one', mac: '52:54:00:00:00:12' });
  });

  it('leaves nothing behind that would hinder a migration: a clone moves and both hosts agree on every byte', async () => {
    for (const to of ['h2', 'h1']) {
      const record = await bed.migrate(one, to);
      expect(record.stateHashTarget).toBe(record.stateHashSource);
      expect(record.stateHashSourceFull).toBe(record.stateHashSource);
      await ask(one, 'ping -c 3 10.77.0.11', /3 packets received/);
      await ask(one, 'hostname', /^one\r?$/m);
      expect(bed.report(to, one)).toMatchObject({ startedFrom: 'template' });
    }
  });

  it('that is damaged is thrown away with a word in the log: the guest boots, and makes it anew', async () => {
    const [name = ''] = templatesOf('h1');
    flipByte(join(templateFolder('h1'), name), 1_000_000);
    const booted = await bed.bootVm('booted', 'h1', 4);
    expect(await reportOf(booted)).toMatchObject({ startedFrom: 'kernel', state: 'running' });
    expect(bed.agent('h1').log()).toMatch(/its memory does not have the hash.*template thrown away/);
    await ask(booted, 'ping -c 3 10.77.0.11', /3 packets received/);
    const cloned = await bed.bootVm('cloned', 'h1', 5);
    expect(await reportOf(cloned)).toMatchObject({ startedFrom: 'template' });
  });
});

describe('a host that has started no such guest', () => {
  it('makes the template beside its guests, again if it was killed at it, so that a takeover need not boot', async () => {
    const { image, memoryMib } = first.machine;
    expect(templatesOf('h2')).toEqual([]);
    bed.want([{ image, memoryMib, kernelArguments: '' }]);
    const isMaking = (): boolean => readdirSync(templateFolder('h2')).some((name) => name.endsWith('.claim'));
    await until('h2 makes a template', isMaking, 60_000);
    bed.agent('h2').kill('SIGKILL');
    await bed.agent('h2').ended;
    expect(templatesOf('h2')).toEqual([]);
    await bed.startAgent('h2', 1);
    await until('h2 has a template', () => templatesOf('h2').length === 1, 120_000);
    await until('the claim is given back', () => !isMaking());
    const late = await bed.bootVm('late', 'h2', 6);
    expect(await reportOf(late)).toMatchObject({ startedFrom: 'template' });
    await ask(late, 'ping -c 3 10.77.0.11', /3 packets received/);
  });
});

function flipByte(path: string, offset: number): void {
  const file = openSync(path, 'r+');
  const byte = new Uint8Array(1);
  readSync(file, byte, 0, 1, offset);
  writeSync(file, Uint8Array.of((byte[0] ?? 0) ^ 1), 0, 1, offset);
  expect(readFileSync(path).length).toBeGreaterThan(offset);
}
