import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { LocalSwitch } from './local-switch.ts';

let stateFolder: string;
beforeEach(() => {
  stateFolder = mkdtempSync(join(tmpdir(), 'skein-switch-'));
});
afterEach(() => rmSync(stateFolder, { recursive: true }));

const members = 6;
const deadlineMs = 10_000;
const macOf = (index: number): string => `52:54:00:00:00:${(index + 16).toString(16)}`;

/** To all, from one: its last byte says whose it is. */
function broadcastOf(index: number): Uint8Array {
  const frame = new Uint8Array(60);
  frame.fill(0xff, 0, 6);
  frame.set([0x52, 0x54, 0, 0, 0, index + 16, 0x88, 0xb5], 6);
  frame[59] = index;
  return frame;
}

async function until(condition: () => boolean): Promise<void> {
  const endsAt = performance.now() + deadlineMs;
  while (!condition()) {
    if (performance.now() > endsAt) throw new Error('not in time');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

it('machines that all come at the same moment, and lose their switch at the same moment, are on one network', async () => {
  const heard = Array.from({ length: members }, () => new Set<number>());
  const troubles: string[] = [];
  const join = (index: number) =>
    LocalSwitch.join({
      name: 'lab',
      stateFolder,
      mac: macOf(index),
      onFrame: (frame) => heard[index]?.add(frame[59] ?? -1),
      onTrouble: (message) => troubles.push(message),
    });
  const joined = await Promise.all(Array.from({ length: members }, (_, index) => join(index)));
  const everybodyHears = async (present: readonly number[]): Promise<void> => {
    for (const set of heard) set.clear();
    await until(() => {
      for (const index of present) joined[index]?.send(broadcastOf(index));
      return present.every((index) => present.every((other) => other === index || heard[index]?.has(other)));
    });
  };
  await everybodyHears([0, 1, 2, 3, 4, 5]);
  // Whichever of them has it: in the end it was the turn of all but one.
  for (let gone = 0; gone < members - 2; gone++) {
    joined[gone]?.close();
    await everybodyHears([0, 1, 2, 3, 4, 5].slice(gone + 1));
  }
  for (const member of joined) member.close();
  expect(troubles).toEqual([]);
  expect(readdirSync(`${stateFolder}/switches`)).toEqual([]);
}, 120_000);
