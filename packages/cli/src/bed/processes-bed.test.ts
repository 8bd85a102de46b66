/** Signals to a real process; a pid counts only while its command line names the configuration file. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { formatVersion } from '../cluster/state-folder.ts';
import { ProcessesBed } from './processes-bed.ts';

const configFile = '/nonexistent/h1/config.json';
let child: ChildProcess;
afterEach(() => child.kill('SIGKILL'));

async function bedWith(argument: string): Promise<ProcessesBed> {
  const script = 'console.log("up"); setInterval(() => {}, 1000)';
  child = spawn(process.execPath, ['-e', script, argument], { stdio: ['ignore', 'pipe', 'ignore'] });
  if (child.stdout !== null) await once(child.stdout, 'data');
  const one = { role: 'agent', name: 'h1', pid: child.pid ?? 0, configFile, logFile: '' } as const;
  const file = {
    formatVersion,
    cluster: 'test',
    bed: 'processes',
    apiUrl: null,
    apiTokenFile: '',
    startedAtMs: 0,
    processes: [one],
  };
  return new ProcessesBed('/nonexistent', file as ConstructorParameters<typeof ProcessesBed>[1]);
}

const stateOf = (): string | undefined =>
  /^State:\s+(\w)/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1];

describe('a cluster of plain processes', () => {
  it('is paused, resumed and killed by signals', async () => {
    const bed = await bedWith(configFile);
    await bed.pause('h1');
    await vi.waitFor(() => expect(stateOf()).toBe('T'));
    await bed.resume('h1');
    await vi.waitFor(() => expect(stateOf()).not.toBe('T'));
    const ended = once(child, 'exit');
    await bed.kill('h1');
    expect((await ended)[1]).toBe('SIGKILL');
  });

  it('refuses programs it does not have, and a stranger that got a pid', async () => {
    const bed = await bedWith('another-program');
    await expect(bed.kill('h9')).rejects.toMatchObject({ code: 'host.not-found' });
    await expect(bed.kill('h1')).rejects.toMatchObject({ code: 'host.wrong-state' });
    expect(child.exitCode).toBeNull();
  });

  it('has no networks to break, and says why', async () => {
    const bed = await bedWith(configFile);
    expect(() => bed.networks()).toThrow(expect.objectContaining({ code: 'bed.unsupported' }));
  });
});
