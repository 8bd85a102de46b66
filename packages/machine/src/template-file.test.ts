import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type CoreModules, createMachineMemory, loadCore } from './core-module.ts';
import { createDevices } from './devices/create-devices.ts';
import { REGISTER, STATUS } from './devices/virtio-mmio/registers.ts';
import { Machine } from './machine.ts';
import { pageBytes } from './machine-memory.ts';
import { loadTemplate, saveTemplate } from './template-file.ts';

const memoryMib = 64;
const ramBase = 0x8000_0000;
let core: CoreModules;
let folder: string;
let path: string;

beforeAll(async () => {
  core = await loadCore();
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-template-'));
  path = join(folder, 'template');
});
afterEach(() => rmSync(folder, { recursive: true }));

function createMachine(macs: readonly string[], mib = memoryMib, rngSeed?: Uint8Array): Machine {
  return new Machine({
    core,
    memory: createMachineMemory(core, mib),
    memoryMib: mib,
    devices: createDevices({
      nics: macs.map((mac) => ({ mac })),
      hasIdentityPort: true,
      rtcEpochSeconds: 1000,
      ...(rngSeed === undefined ? {} : { rngSeed, hasBalloon: true }),
    }),
    emit: () => {},
  });
}

/** Pages here and there with something in them; one was written and is zero again. */
function fill(machine: Machine): void {
  for (const page of [0, 1, 2, 700, 702, 5000, machine.memory.pages - 1]) {
    machine.guestMemory.write(ramBase + page * pageBytes, new Uint8Array(pageBytes).fill(page % 251 || 9));
  }
  machine.guestMemory.write(ramBase + 9000 * pageBytes, Uint8Array.of(1));
  machine.guestMemory.write(ramBase + 9000 * pageBytes, Uint8Array.of(0));
  machine.apply({ type: 'time', guestTicks: 123_456n, ratePerStep: 1 });
}

function save(machine: Machine): { pages: number } {
  return saveTemplate(machine, path, `${path}.partial`);
}

function damage(change: (bytes: Buffer) => Buffer): void {
  writeFileSync(path, change(readFileSync(path)));
}

describe('a template in a file', () => {
  it('holds the pages that are not zero, whole and under its own name alone', () => {
    const machine = createMachine([]);
    fill(machine);
    expect(save(machine)).toEqual({ pages: 7 });
    expect(readdirSync(folder)).toEqual(['template']);
    expect(statSync(path).size).toBeLessThan(64 * pageBytes);
  });

  it('makes a fresh machine equal but for what each VM has of its own', () => {
    const machine = createMachine(['52:54:00:00:00:01']);
    fill(machine);
    save(machine);
    const clone = createMachine(['52:54:00:00:00:02', '52:54:00:00:00:03']);
    loadTemplate(clone, path);
    expect(clone.memoryHash()).toBe(machine.memoryHash());
    expect(clone.guestTimeTicks()).toBe(machine.guestTimeTicks());
    expect(clone.memory.isTouched(5000)).toBe(true);
    expect(clone.memory.isTouched(9000)).toBe(false);
    expect(clone.board.nics).toHaveLength(2);
    expect(clone.saveTemplateState()).toEqual(machine.saveTemplateState());
  });

  it('counts all of its pages as written: a harvest names each of them', () => {
    const machine = createMachine([]);
    fill(machine);
    save(machine);
    const clone = createMachine([]);
    loadTemplate(clone, path);
    expect(clone.harvestDirty(1)).toBe(7);
    expect(clone.harvestDirty(1)).toBe(0);
  });

  it('leaves a clone the random numbers of its own seed, whatever other devices it has', () => {
    const seedOf = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
    const machine = createMachine(['52:54:00:00:00:01'], memoryMib, seedOf(1));
    fill(machine);
    save(machine);
    const generators = [2, 3].map((byte) => {
      const clone = createMachine([], memoryMib, seedOf(byte));
      loadTemplate(clone, path);
      const slot = clone.board.devices.find(({ name }) => name === 'virtio-slot-6');
      return slot?.save().fields.rng;
    });
    expect(generators).toEqual([{ key: seedOf(2) }, { key: seedOf(3) }]);
    const bare = createMachine([]);
    loadTemplate(bare, path);
    expect(bare.memoryHash()).toBe(machine.memoryHash());
  });

  it('is not taken from a guest that has a driver for its random generator', () => {
    const machine = createMachine([], memoryMib, new Uint8Array(32));
    const slot = machine.board.devices.find(({ name }) => name === 'virtio-slot-6');
    slot?.write(REGISTER.status, 4, STATUS.acknowledge | STATUS.driver);
    expect(() => save(machine)).toThrow(/the guest uses virtio-slot-6, which is its own/);
  });

  it('sets a clone’s clock apart from its template’s', () => {
    const machine = createMachine([]);
    fill(machine);
    save(machine);
    const clone = createMachine([]);
    loadTemplate(clone, path);
    const before = clone.stateHash();
    clone.setWallClock(1_800_000_000_000_000_000n);
    const rtc = clone.board.devices.find(({ name }) => name === 'rtc');
    const low = BigInt(rtc?.read(0, 4) ?? 0);
    expect((BigInt(rtc?.read(4, 4) ?? 0) << 32n) | low).toBe(1_800_000_000_000_000_000n);
    expect(clone.stateHash()).not.toBe(before);
  });

  it('is refused whatever byte of it is another', () => {
    const machine = createMachine([]);
    fill(machine);
    save(machine);
    const sound = readFileSync(path);
    fc.assert(
      fc.property(fc.nat(sound.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const bytes = Buffer.from(sound);
        bytes[at] = (bytes[at] ?? 0) ^ flip;
        writeFileSync(path, bytes);
        expect(() => loadTemplate(createMachine([]), path)).toThrow(/snapshot|saved state/);
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['cut short', (bytes: Buffer) => bytes.subarray(0, bytes.length - pageBytes)],
    ['cut in its head', (bytes: Buffer) => bytes.subarray(0, 30)],
    ['empty', () => Buffer.alloc(0)],
    ['longer than it says', (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(pageBytes)])],
    ['of another program', () => Buffer.alloc(3 * pageBytes, 'skein')],
  ])('is refused when it is %s', (_, change) => {
    const machine = createMachine([]);
    fill(machine);
    save(machine);
    damage(change);
    expect(() => loadTemplate(createMachine([]), path)).toThrow(
      expect.objectContaining({ code: 'snapshot.invalid' }),
    );
  });

  it('is refused by a machine with other memory', () => {
    const machine = createMachine([]);
    save(machine);
    expect(() => loadTemplate(createMachine([], 96), path)).toThrow(
      expect.objectContaining({ code: 'snapshot.other-machine' }),
    );
  });

  it('is not taken from a guest that has a driver for its vNIC', () => {
    const machine = createMachine(['52:54:00:00:00:01']);
    const [slot] = machine.board.perVm ?? [];
    slot?.read(REGISTER.deviceId, 4);
    slot?.write(REGISTER.status, 4, STATUS.acknowledge);
    expect(save(machine)).toEqual({ pages: 0 });
    slot?.write(REGISTER.status, 4, STATUS.acknowledge | STATUS.driver);
    expect(() => save(machine)).toThrow(expect.objectContaining({ code: 'template.not-possible' }));
  });

  it('is taken from a guest whose driver has let go of its vNIC, as Linux leaves it', () => {
    const machine = createMachine(['52:54:00:00:00:01']);
    const [slot] = machine.board.perVm ?? [];
    const write = (register: number, value: number): boolean | undefined => slot?.write(register, 4, value);
    write(REGISTER.status, STATUS.acknowledge | STATUS.driver);
    write(REGISTER.driverFeatures, 1);
    write(REGISTER.status, 0);
    for (const selector of [
      REGISTER.queueSelect,
      REGISTER.deviceFeaturesSelect,
      REGISTER.driverFeaturesSelect,
    ])
      write(selector, 1);
    write(REGISTER.status, STATUS.acknowledge);
    expect(save(machine)).toEqual({ pages: 0 });
    write(REGISTER.driverFeatures, 1);
    expect(() => save(machine)).toThrow(expect.objectContaining({ code: 'template.not-possible' }));
  });

  it('leaves nothing behind when it cannot be written', () => {
    const machine = createMachine([]);
    fill(machine);
    const elsewhere = join(folder, 'no-such-folder', 'template');
    expect(() => saveTemplate(machine, elsewhere, join(folder, 'partial'))).toThrow(/ENOENT/);
    expect(existsSync(join(folder, 'partial'))).toBe(false);
  });
});
