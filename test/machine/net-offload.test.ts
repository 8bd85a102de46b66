/** Two of Debian's kernels on one cable, whose drivers leave checksums and segments to their devices. */
import { ensureGuestImage } from '@skein/guests';
import { loadCore } from '@skein/machine';
import { beforeAll, describe, expect, it } from 'vitest';
import { isReady, LoneGuest, ratePerStep, typed } from '../support/lone-guest.ts';

const memoryMib = 128;
const sliceSteps = 50_000;
const roundsMax = 200_000;
const fileBytes = 2 * 1024 * 1024;
const [ethernetBytes, mtuBytes] = [14, 1500];

let server: LoneGuest;
let client: LoneGuest;
const onTheWire: Uint8Array[] = [];

beforeAll(async () => {
  const [core, image] = await Promise.all([loadCore(), ensureGuestImage()]);
  const boot = (number: number): LoneGuest => {
    const mac = `52:54:00:00:00:0${number}`;
    const guest = new LoneGuest({ core, memoryMib, devices: { nics: [{ mac }] } });
    guest.boot(image, `skein.hostname=guest${number} skein.ip=10.0.0.${number}/24`);
    guest.runUntil(() => isReady(guest));
    return guest;
  };
  [server, client] = [boot(1), boot(2)];
});

/** Both run in turns; while both wait, time goes on to the first thing that either waits for. */
function runBoth(isReached: () => boolean): void {
  const pair = [server, client] as const;
  for (let round = 0; !isReached(); round++) {
    if (round > roundsMax)
      throw new Error(`not reached; the consoles end: ${pair.map((g) => g.console.slice(-300))}`);
    let isQuiet = true;
    for (const [from, to] of [pair, [client, server]] as const) {
      from.machine.apply({ type: 'time', guestTicks: from.machine.guestTimeTicks(), ratePerStep });
      if (from.machine.run(sliceSteps).reason !== 'idle') isQuiet = false;
      for (const frame of from.frames.splice(0)) {
        isQuiet = false;
        onTheWire.push(frame);
        to.machine.apply({ type: 'frame', nic: 0, frame });
      }
    }
    if (isQuiet) pass(pair);
  }
}

function pass(pair: readonly LoneGuest[]): void {
  const waits = pair.flatMap(({ machine }) => {
    const wake = machine.wake();
    return wake.kind === 'at'
      ? [wake.guestTicks - machine.guestTimeTicks()]
      : wake.kind === 'now'
        ? [0n]
        : [];
  });
  const shortest = waits.reduce((least, wait) => (wait < least ? wait : least));
  for (const { machine } of pair) {
    machine.apply({ type: 'time', guestTicks: machine.guestTimeTicks() + shortest, ratePerStep });
  }
}

function answer(guest: LoneGuest, command: string): string {
  const before = guest.console.length;
  guest.machine.apply(typed(`${command}; echo $((40 + 2))end\n`));
  runBoth(() => /^42end\r?$/m.test(guest.console.slice(before)));
  return guest.console.slice(before);
}

/** Of a TCP packet over IPv4 without options, as all of these are: sums to all ones with its pseudo header. */
function hasRightChecksums(frame: Uint8Array): boolean {
  const words = (from: number, to: number): bigint => {
    let sum = 0n;
    for (let at = from; at < to; at++) sum += BigInt(frame[at] ?? 0) << (at % 2 === 0 ? 8n : 0n);
    return sum;
  };
  const end = ethernetBytes + (((frame[16] ?? 0) << 8) | (frame[17] ?? 0));
  const tcp = words(34, end) + words(26, 34) + 6n + BigInt(end - 34);
  return words(14, 34) % 0xffffn === 0n && tcp % 0xffffn === 0n;
}

describe('a file over TCP between two guests', () => {
  it('arrives whole, of packets that the device cut and frames that the wire can carry', () => {
    const digest = /([0-9a-f]{64}) /;
    const made = answer(
      server,
      `dd if=/dev/urandom of=/tmp/file bs=1k count=${fileBytes / 1024}; sha256sum /tmp/file`,
    );
    answer(server, 'httpd -p 80 -h /tmp');
    const fetched = answer(client, 'wget -q -O - http://10.0.0.1/file | sha256sum');
    expect(digest.exec(fetched)?.[1]).toBe(digest.exec(made)?.[1]);

    const tcp = onTheWire.filter((frame) => frame[12] === 8 && frame[13] === 0 && frame[23] === 6);
    expect(tcp.length).toBeGreaterThan(fileBytes / mtuBytes);
    expect(Math.max(...onTheWire.map(({ length }) => length))).toBe(ethernetBytes + mtuBytes);
    expect(tcp.filter((frame) => !hasRightChecksums(frame))).toEqual([]);

    const { segmentedPackets = 0, transmitDropped } = server.board.nics[0]?.metrics ?? {};
    expect(segmentedPackets).toBeGreaterThan(10);
    expect(transmitDropped).toBe(0);
  });
});
