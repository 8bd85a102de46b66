import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMachineMemory, loadCore } from './core-module.ts';
import { createDevices } from './devices/create-devices.ts';
import { MemoryDisk } from './devices/test-support/memory-disk.ts';
import type { MachineInput } from './input.ts';
import {
  decodeInputLog,
  encodeInputLog,
  encodeLogEnd,
  encodeLogHead,
  type InputLog,
  InputRecorder,
  replay,
} from './input-log.ts';
import { Machine } from './machine.ts';

const bytes = fc.uint8Array({ maxLength: 50 });
const nic = fc.nat(7);
const input: fc.Arbitrary<MachineInput> = fc.oneof(
  fc.record({
    type: fc.constant('time' as const),
    guestTicks: fc.bigInt(0n, 2n ** 64n - 1n),
    ratePerStep: fc.nat(),
  }),
  fc.record({ type: fc.constant('console' as const), bytes }),
  fc.record({ type: fc.constant('identity' as const), bytes }),
  fc.record({ type: fc.constant('frame' as const), nic, frame: bytes }),
  fc.record({ type: fc.constant('link' as const), nic, isUp: fc.boolean() }),
  fc.record({ type: fc.constant('announce' as const), nic }),
  fc.record({ type: fc.constant('balloon' as const), targetPages: fc.nat() }),
  fc.record({ type: fc.constant('power' as const), action: fc.constant('off' as const) }),
);
const place = fc.record({ steps: fc.bigInt(0n, 2n ** 63n), hash: fc.bigInt(0n, 2n ** 64n - 1n) });
const log: fc.Arbitrary<InputLog> = fc.record(
  {
    startHash: fc.bigInt(0n, 2n ** 64n - 1n),
    startSteps: fc.bigInt(0n, 2n ** 63n),
    startDisks: fc.array(fc.record({ digest: fc.stringMatching(/^[0-9a-f]{64}$/), hostErrors: fc.nat() }), {
      maxLength: 3,
    }),
    inputs: fc.array(fc.record({ steps: fc.bigInt(0n, 2n ** 63n), sequence: fc.nat(), input })),
    ...{ origin: fc.constant({ kernel: { path: '/k' } }), end: place },
  },
  { requiredKeys: ['startHash', 'startSteps', 'startDisks', 'inputs'] },
);

describe('an input log', () => {
  it('reads as it was written', () => {
    fc.assert(
      fc.property(log, (written) => {
        expect(decodeInputLog(encodeInputLog(written))).toEqual(written);
      }),
    );
  });

  it('that was written while it grew says at its end how often the host failed its disks', () => {
    const digest = 'ab'.repeat(32);
    const head = { startHash: 5n, startSteps: 7n, startDisks: [{ digest, hostErrors: 0 }] };
    const text = encodeLogHead(head) + encodeLogEnd({ steps: 9n, hash: 1n }, [3]);
    expect(decodeInputLog(text)).toEqual({
      ...head,
      startDisks: [{ digest, hostErrors: 3 }],
      inputs: [],
      end: { steps: 9n, hash: 1n },
    });
    expect(() => decodeInputLog(text.replace('[3]', '[-3]'))).toThrow(/line 1/);
  });

  it('that was cut off in the middle of a line is refused with that line', () => {
    const text = encodeInputLog({
      startHash: 5n,
      startSteps: 7n,
      startDisks: [],
      inputs: [],
      end: { steps: 9n, hash: 1n },
    });
    expect(() => decodeInputLog(text.slice(0, -8))).toThrow(/line 2/);
  });

  it.each([
    ['no header', ''],
    ['another format', '{"format":"x","version":1,"startHash":"0","startSteps":"0"}'],
    ['an unknown input', '{"steps":"1","sequence":0,"input":{"type":"disk"}}'],
    ['steps below zero', '{"steps":"-1","sequence":0,"input":{"type":"power"}}'],
    ['a balloon without target', '{"steps":"1","sequence":0,"input":{"type":"balloon"}}'],
    ['no JSON', 'garbage'],
  ])('with %s is refused with its line', (_, line) => {
    const head = '{"format":"skein-input-log","version":1,"startHash":"0","startSteps":"0"}';
    const text = line === '' || line.includes('"x"') ? line : `${head}\n${line}\n`;
    expect(() => decodeInputLog(text)).toThrow(/line [12]/);
  });
});

describe('the log of a machine with disks', async () => {
  const core = await loadCore();
  const content = Uint8Array.from({ length: 3 * 1024 * 1024 + 512 }, (_, index) => (index * 7) & 0xff);

  function machineWith(disks: readonly MemoryDisk[]): Machine {
    return new Machine({
      core,
      memory: createMachineMemory(core, 64),
      memoryMib: 64,
      devices: createDevices({ nics: [], disks: disks.map((backend) => ({ backend })) }),
      emit: () => {},
    });
  }

  const diskOf = (bytes: Uint8Array): MemoryDisk => new MemoryDisk(bytes.length, false, bytes.slice());

  function logOf(disk: MemoryDisk): InputLog {
    const recorder = new InputRecorder(machineWith([disk]));
    return recorder.log;
  }

  it('says what they held when the recording began, and is replayed on disks that hold the same', () => {
    const disk = diskOf(content);
    const machine = machineWith([disk]);
    const recorder = new InputRecorder(machine);
    disk.bytes[0] = 99;
    const log = decodeInputLog(encodeInputLog(recorder.log));
    expect(log.startDisks).toEqual([{ digest: expect.stringMatching(/^[0-9a-f]{64}$/), hostErrors: 0 }]);
    expect(() => replay(machineWith([diskOf(content)]), log, 0n)).not.toThrow();
  });

  it.each([
    ['another content', [diskOf(content.with(content.length - 1, 1))], /disk 0 does not hold/],
    ['no disk', [], /of a machine with 1 disks, this one has 0|not in the state/],
  ])('is refused by a machine with %s', (_, disks, message) => {
    const log = logOf(diskOf(content));
    const attempt = (): void => replay(machineWith(disks), log, 0n);
    expect(attempt).toThrow(expect.objectContaining({ code: 'log.diverged' }));
    expect(attempt).toThrow(message);
  });

  it('is refused if a disk failed while it was recorded', () => {
    const log = logOf(diskOf(content));
    const failed = { ...log, startDisks: log.startDisks.map((disk) => ({ ...disk, hostErrors: 2 })) };
    expect(() => replay(machineWith([diskOf(content)]), failed, 0n)).toThrow(/disk 0 failed 2 times/);
  });

  it.each(['{}', '[{}]', '[{"digest":"ab","hostErrors":0}]', '[null]'])(
    'with %s for disks is refused',
    (disks) => {
      const head = `{"format":"skein-input-log","version":1,"startHash":"0","startSteps":"0","disks":${disks}}`;
      expect(() => decodeInputLog(head)).toThrow(/line 1/);
    },
  );
});
