/**
 * A host that stood still while its guest was taken over, and goes on with its rings and sockets full of the old copy's
 * output. What it still sends is captured where it leaves and where it arrives; what came of it is counted by those who
 * could have taken it: the switch and the kernel of another guest. Frames of before are sent once more from the resumed
 * host's own address, so that something does arrive.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vxlanPortDefault } from '@skein/shared';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Capture, type TunnelledFrame } from '../support/capture.ts';
import { eventually } from '../support/eventually.ts';
import { Scrape } from '../support/scrape.ts';
import { SkeinCluster } from '../support/skein-cluster.ts';

const folder = mkdtempSync(join(tmpdir(), 'skein-resumed-'));
const cluster = new SkeinCluster({ SKEIN_STATE: folder });
const hosts = ['h1', 'h2', 'h3'] as const;
const resentFrames = 50;
const pingBytes = 1000;

beforeAll(async () => {
  await cluster.skein('up', '--bed', 'namespaces', '--hosts', '3');
  await cluster.skein('vm', 'create', 'web1', '--host', 'h1', '--address', '10.77.0.11/24');
  await cluster.skein('vm', 'create', 'web2', '--host', 'h2', '--address', '10.77.0.12/24');
  // Booted: what is typed at a serial port that nobody has opened yet is lost.
  for (const guest of ['web1', 'web2']) await cluster.placeOf(guest);
});
afterAll(async () => {
  cluster.closeShells();
  await cluster.skein('down');
  rmSync(folder, { recursive: true, force: true });
});

function pidOf(program: string): number {
  const file = JSON.parse(readFileSync(join(folder, 'cluster.json'), 'utf8')) as {
    readonly processes: readonly { readonly name: string; readonly pid: number }[];
  };
  return file.processes.find(({ name }) => name === program)?.pid ?? 0;
}

const addressOf = async (host: string): Promise<string> =>
  (await cluster.host(host)).addresses['guest-a'] ?? '';

/** Runs a script of Node's in the network namespace of a program. */
function runBeside(program: string, script: string, ...args: readonly string[]): string {
  const words = ['--target', String(pidOf(program)), '--net', '--', process.execPath, '-e', script, ...args];
  const { status, stdout, stderr } = spawnSync('nsenter', words, { encoding: 'utf8', timeout: 30_000 });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

/** How many echo requests web2's kernel has taken in, whoever sent them. */
async function pingsTakenIn(): Promise<number> {
  const printed = await cluster.shell('web2').run('grep ^Icmp: /proc/net/snmp');
  // RFC 2011's icmpInEchos, in the kernel's order: the header line names the columns.
  const [names = [], values = []] = printed
    .split(/\r?\n/)
    .filter((line) => line.startsWith('Icmp:'))
    .map((line) => line.trim().split(' '));
  return Number(values[names.indexOf('InEchos')]);
}

/** Frames that a host's switch refused because their address belongs to another host. */
async function refusedBy(host: string): Promise<number> {
  const { addresses } = await cluster.host(host);
  const script = `
    const [url, file] = process.argv.slice(1);
    const token = require('node:fs').readFileSync(file, 'utf8').trim();
    fetch(url, { headers: { authorization: 'Bearer ' + token } })
      .then(async (response) => process.stdout.write(await response.text()));`;
  const url = `http://${addresses.management}:7130/metrics`;
  const scrape = new Scrape(runBeside(host, script, url, join(folder, 'metrics.token')));
  return scrape.value('skein_uplink_dropped_frames_total', { reason: 'not-owner' }) ?? 0;
}

/** Once more from h1's address, from another port than the agent's. */
async function sendAgain(frames: readonly TunnelledFrame[], to: string): Promise<void> {
  const file = join(folder, 'frames.json');
  writeFileSync(file, JSON.stringify(frames.map(({ packet }) => Buffer.from(packet).toString('hex'))));
  const script = `
    const [file, from, to] = process.argv.slice(1);
    const packets = JSON.parse(require('node:fs').readFileSync(file, 'utf8'));
    const socket = require('node:dgram').createSocket('udp4');
    socket.bind(0, from, () => {
      const next = () => packets.length === 0 ? socket.close()
        : socket.send(Buffer.from(packets.shift(), 'hex'), ${vxlanPortDefault}, to, () => setTimeout(next, 2));
      next();
    });`;
  runBeside('h1', script, file, await addressOf('h1'), to);
}

describe('a host that stood still and is resumed with frames queued', () => {
  it('gets nothing of the old copy accepted: captured at both ends, counted by switch and guest', async () => {
    const mac = (await cluster.vm('web1')).spec.machine.nics[0]?.mac ?? '';
    const web1 = cluster.shell('web1');
    const flood = `ping -i 0.005 -s ${pingBytes} 10.77.0.12 > /dev/null &`;
    const early = await Capture.start(pidOf('h1'), 'guest-a', join(folder, 'early.pcap'));
    await web1.run(flood);
    const ofWeb1 = (frames: readonly TunnelledFrame[]) => frames.filter(({ sourceMac }) => sourceMac === mac);
    await eventually('the flood is seen', async () => ofWeb1(early.frames()).length > 2 * resentFrames);
    await web1.run('killall ping');
    // The pings alone: between them web1 may have told who has its address.
    const isPing = ({ packet }: TunnelledFrame): boolean => packet.length > pingBytes;
    const old = ofWeb1(await early.stop())
      .filter(isPing)
      .slice(-resentFrames);

    // While web1 is where it was, frames that are sent again are taken in: it is nothing else that refuses them later.
    const quiet = await eventually('the flood is over', async () => {
      const before = await pingsTakenIn();
      return (await pingsTakenIn()) === before && before;
    });
    await sendAgain(old, await addressOf('h2'));
    await eventually('they are taken in', async () => (await pingsTakenIn()) === quiet + resentFrames);

    const before = await cluster.placeOf('web1');
    await web1.run(flood);
    const flooded = await pingsTakenIn();
    await eventually('the flood arrives', async () => (await pingsTakenIn()) > flooded + 100);
    await cluster.skein('fault', 'pause', 'h1');
    const after = await eventually('web1 runs elsewhere', async () => {
      const { host, state } = await cluster.vm('web1');
      return state === 'running' && host !== 'h1' && (await cluster.placeOf('web1'));
    });
    expect(after.epoch).toBe(before.epoch + 1);

    const captures = await Promise.all(
      hosts.map((host) => Capture.start(pidOf(host), 'guest-a', join(folder, `${host}.pcap`))),
    );
    const [taken, refused] = [await pingsTakenIn(), await refusedBy('h2')];
    await cluster.skein('fault', 'resume', 'h1');
    await eventually('h1 has discarded its copy', async () => {
      const { state, vms } = await cluster.host('h1');
      return state === 'connected' && vms === 0;
    });
    const h1 = await addressOf('h1');
    for (const host of ['h2', 'h3']) await sendAgain(old, await addressOf(host));
    await eventually('all have arrived', async () => {
      const arrived = captures
        .slice(1)
        .map((capture) => ofWeb1(capture.frames()).filter(({ from }) => from === h1));
      return arrived.every((frames) => frames.length >= resentFrames);
    });
    const [left = [], ...arrived] = await Promise.all(captures.map((capture) => capture.stop()));

    // Of its own accord the resumed host sent none of the old copy's frames.
    const own = ofWeb1(left).filter(({ from, fromPort }) => from === h1 && fromPort === vxlanPortDefault);
    expect(own).toHaveLength(0);
    // What left its address arrived, and was refused: by the switch, frame by frame, and so by the guest.
    for (const frames of arrived) {
      const old = ofWeb1(frames).filter(({ from }) => from === h1);
      expect(old).toHaveLength(resentFrames);
    }
    expect(await refusedBy('h2')).toBe(refused + resentFrames);
    expect(await pingsTakenIn()).toBe(taken);
    // The address is another host's for good, and answers.
    expect(await cluster.placeOf('web1')).toEqual(after);
    const printed = await cluster.shell('web2').run('ping -c 5 -i 0.2 -W 1 10.77.0.11');
    expect(printed).toMatch(/5 packets received/);
  });
});
