import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Finding } from '../doctor/finding.ts';
import { runSkein } from '../testing/run-skein.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-doctor-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A PATH with these programs and no others. */
function pathWith(...programs: string[]): string {
  for (const program of programs) {
    const found = spawnSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).stdout.trim();
    if (found !== '') symlinkSync(found, join(folder, basename(found)));
  }
  return folder;
}

async function doctor(environment: Record<string, string>, ...args: string[]) {
  const run = await runSkein(['doctor', '--output', 'json', ...args], { environment });
  const findings = JSON.parse(run.stdout) as Finding[];
  return { ...run, findings, find: (name: string) => findings.find((one) => one.name === name) };
}

const basics = ['sh', 'mount', 'ls', 'apt-get', 'dpkg-deb'];
const networkTools = ['unshare', 'ip', 'iptables', 'setpriv'];

describe('skein doctor', () => {
  it('calls a machine without Docker good for plain processes, and not for containers', async () => {
    const PATH = pathWith(...basics);
    const all = await doctor({ PATH });
    expect(all.exitCode).toBe(0);
    expect(all.find('docker')).toMatchObject({
      for: ['containers'],
      verdict: 'missing',
      found: 'no docker command',
      advice: expect.stringContaining('compose/install-engine.sh') as string,
    });
    const processes = await doctor({ PATH }, '--for', 'processes');
    expect(processes.exitCode).toBe(0);
    expect(processes.find('docker')).toBeUndefined();
    expect((await doctor({ PATH }, '--for', 'containers')).exitCode).toBe(1);
  });

  it('names the tool that networks of one’s own need, and the package it comes in', async () => {
    const without = await doctor({ PATH: pathWith(...basics) }, '--for', 'namespaces');
    expect(without.exitCode).toBe(1);
    expect(without.find('namespaces')).toMatchObject({ verdict: 'missing', found: 'no unshare' });
  });

  it('tries what the kernel can do with networks, and says how each is missed', async () => {
    const { find, exitCode } = await doctor(
      { PATH: pathWith(...basics, ...networkTools) },
      '--for',
      'namespaces',
    );
    const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
    const isAllowed = spawnSync('unshare', [...user, '--net', '--mount', 'true']).status === 0;
    if (!isAllowed) {
      expect(find('namespaces')).toMatchObject({ verdict: 'missing' });
      return;
    }
    expect(find('namespaces')).toMatchObject({ verdict: 'good' });
    expect(find('veth, bridge')).toMatchObject({ verdict: 'good', found: 'works' });
    // There is no tc in this PATH.
    expect(find('tbf')).toMatchObject({ verdict: 'missing', found: 'no tc' });
    expect(find('tbf')?.advice).toContain('iproute2');
    expect(exitCode).toBe(1);
    expect(execFileSync('sh', ['-c', 'ip -o link'], { encoding: 'utf8' })).not.toContain('cable0');
  });

  it('fails where machines find no address space, and says how to get it', () => {
    const main = join(import.meta.dirname, '../main.ts');
    const script = `ulimit -v ${36 << 20} && exec "$0" "$1" doctor --for processes`;
    const run = spawnSync('sh', ['-c', script, process.execPath, main], { encoding: 'utf8' });
    expect(run.stdout).toMatch(/missing {2}address space +limited to 36 GiB .*\n +-> .*ulimit -v unlimited/);
    expect(run.stderr).toBe('skein up: will not work: address space\n');
    expect(run.status).toBe(1);
  });

  it('looks for room where images and state will be', async () => {
    const { find } = await doctor({ SKEIN_CACHE: join(folder, 'not/yet/there'), SKEIN_STATE: '/proc' });
    expect(find('disk for images')).toMatchObject({ verdict: 'good' });
    expect(find('disk for state')).toMatchObject({
      verdict: 'missing',
      found: '0 MiB free in /proc',
      advice: expect.stringContaining('SKEIN_STATE') as string,
    });
  });

  it('shows to people who needs what, with what to do below', async () => {
    const { stdout, stderr } = await runSkein(['doctor'], { environment: { PATH: pathWith(...basics) } });
    expect(stdout).toMatch(/^Every cluster\n {2}(?:good|warning) +memory /);
    expect(stdout).toMatch(
      /\ndocker compose up\n {2}missing {2}docker +no docker command\n {11}-> install Docker/,
    );
    expect(stderr).toMatch(/docker compose up --wait: will not work: docker\n$/);
    const wrong = await runSkein(['doctor', '--for', 'racks']);
    expect([wrong.exitCode, wrong.stderr]).toEqual([
      2,
      expect.stringContaining('It must be one of processes, namespaces, containers.') as string,
    ]);
  });
});
