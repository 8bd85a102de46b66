import { beforeAll, describe, expect, it } from 'vitest';
import { type CoreModules, createMachineMemory, loadCore } from './core-module.ts';
import { createDevices } from './devices/create-devices.ts';
import type { MachineOutput } from './devices/device.ts';
import { REGISTER, STATUS } from './devices/virtio-mmio/registers.ts';
import { Machine } from './machine.ts';
import { MachineError } from './machine-error.ts';
import { dirtyConsumers, MachineMemory, pagesOf } from './machine-memory.ts';
import { loadSnapshot, saveSnapshot } from './snapshot.ts';
import { decodeSections, encodeSections } from './state-codec.ts';
import { addi, atomic, branch, csr, ecall, jal, load, lui, slli, store, wfi } from './test-support/encode.ts';
import { createRestlessGuest, seededRandom } from './test-support/restless-guest.ts';

const memoryMib = 64;
const ramBase = 0x8000_0000;
const ticksAStep = 2 ** 28;
let core: CoreModules;

beforeAll(async () => {
  core = await loadCore();
});

function machineWith(words: readonly number[]): { machine: Machine; outputs: MachineOutput[] } {
  const outputs: MachineOutput[] = [];
  const machine = new Machine({
    core,
    memory: createMachineMemory(core, memoryMib),
    memoryMib,
    devices: createDevices({ nics: [] }),
    emit: (output) => outputs.push(output),
  });
  machine.guestMemory.write(ramBase, new Uint8Array(Uint32Array.from(words).buffer));
  machine.startFirmware();
  return { machine, outputs };
}

/** Sets the timer to 100 ticks of guest time, enables its interrupt in mie, and waits. */
const waitForTimer = [
  lui(5, 0x2004),
  addi(6, 0, 100),
  store(3, 6, 5, 0),
  addi(7, 0, 0x80),
  csr(1, 0, 0x304, 7),
  wfi,
  addi(10, 0, 1),
  jal(0, 0),
];

describe('Machine', () => {
  it('starts firmware in M mode at the start of RAM and counts its steps', () => {
    const { machine } = machineWith([addi(5, 0, 7), addi(6, 5, 1), jal(0, 0)]);
    expect(machine.run(2)).toMatchObject({ steps: 2, reason: 'limit' });
    expect([machine.register(5), machine.register(6), machine.stateWord('PRIVILEGE')]).toEqual([7n, 8n, 3n]);
    expect(machine.programCounter).toBe(BigInt(ramBase) + 8n);
  });

  it('ends at the very instruction that writes to the power switch', () => {
    const words = [lui(5, 0x100), lui(6, 5), addi(6, 6, 0x555), store(2, 6, 5, 0), addi(7, 0, 1)];
    const { machine, outputs } = machineWith(words);
    expect(machine.run(1000)).toMatchObject({ steps: 4, reason: 'halt' });
    expect(outputs).toEqual([{ type: 'power', action: 'off', exitCode: 0 }]);
    expect(machine.run(1000)).toMatchObject({ steps: 0, reason: 'halt' });
    expect(machine.wake()).toEqual({ kind: 'never' });
  });

  it('waits without spending steps and says when its timer falls due', () => {
    const { machine } = machineWith(waitForTimer);
    expect(machine.run(1000)).toMatchObject({ steps: 6, reason: 'idle' });
    expect(machine.run(1000)).toMatchObject({ steps: 0, reason: 'idle' });
    expect(machine.wake()).toEqual({ kind: 'at', guestTicks: 100n });
    machine.apply({ type: 'time', guestTicks: 99n, ratePerStep: ticksAStep });
    expect(machine.run(1000).reason).toBe('idle');
    machine.apply({ type: 'time', guestTicks: 100n, ratePerStep: ticksAStep });
    expect(machine.wake()).toEqual({ kind: 'now' });
    machine.run(1);
    expect(machine.register(10)).toBe(1n);
  });

  it('evaluates its timers before it first waits after a restore', () => {
    const { machine } = machineWith(waitForTimer);
    machine.run(1000);
    const { machine: target } = machineWith(waitForTimer);
    target.restoreState(machine.saveState());
    expect(target.wake()).toEqual({ kind: 'at', guestTicks: 100n });
    target.apply({ type: 'time', guestTicks: 5000n, ratePerStep: 1 });
    expect(target.run(1)).toMatchObject({ steps: 1, reason: 'limit' });
    expect(target.register(10)).toBe(1n);
  });

  it('takes a timer interrupt at the first step whose time reaches the compare register', () => {
    // At 2^28 / 2^32 ticks a step, time is 10 from step 160 on.
    const words = [
      csr(2, 5, 0x305, 0),
      lui(5, 0x2004),
      addi(6, 0, 10),
      store(3, 6, 5, 0),
      addi(7, 0, 0x80),
      csr(1, 0, 0x304, 7),
      csr(2, 0, 0x300, 28),
      addi(8, 8, 1),
      jal(0, -4),
    ];
    const { machine } = machineWith([...words]);
    machine.apply({ type: 'time', guestTicks: 0n, ratePerStep: ticksAStep });
    machine.guestMemory.write(ramBase + 24, new Uint8Array(Uint32Array.of(0x30046073).buffer));
    machine.run(160);
    expect(machine.stateWord('MCAUSE')).toBe(0n);
    machine.run(1);
    expect(machine.stateWord('MCAUSE')).toBe(0x8000_0000_0000_0007n);
  });

  it('shows in STIP what the supervisor timer says and nothing else, once that is enabled', () => {
    const words = [
      // mip.STIP by software, stimecmp at its greatest, then menvcfg.STCE.
      addi(5, 0, 0x20),
      csr(2, 0, 0x344, 5),
      csr(2, 6, 0x344, 0),
      addi(5, 0, -1),
      csr(1, 0, 0x14d, 5),
      slli(5, 5, 63),
      csr(2, 0, 0x30a, 5),
      csr(2, 7, 0x344, 0),
      csr(1, 0, 0x14d, 0),
      csr(2, 8, 0x344, 0),
    ];
    const { machine } = machineWith(words);
    machine.run(words.length);
    expect([machine.register(6), machine.register(7), machine.register(8)]).toEqual([0x20n, 0n, 0x20n]);
  });

  it('never lets guest time run backwards', () => {
    const { machine } = machineWith([jal(0, 0)]);
    machine.apply({ type: 'time', guestTicks: 1000n, ratePerStep: ticksAStep });
    machine.run(1600);
    expect(machine.guestTimeTicks()).toBe(1100n);
    machine.apply({ type: 'time', guestTicks: 1n, ratePerStep: 0 });
    expect(machine.guestTimeTicks()).toBe(1100n);
  });

  it('answers SBI calls of a kernel in S mode', () => {
    const { machine, outputs } = machineWith([]);
    const put = [lui(17, 0x44424), addi(17, 17, 0x34e), addi(16, 0, 2), addi(10, 0, 0x48), ecall, jal(0, 0)];
    machine.guestMemory.write(ramBase + 0x1000, new Uint8Array(Uint32Array.from(put).buffer));
    machine.startSupervisor(BigInt(ramBase + 0x1000), 0n);
    machine.run(5);
    expect([machine.register(10), machine.stateWord('PRIVILEGE')]).toEqual([0n, 1n]);
    expect(outputs).toEqual([{ type: 'console', bytes: Uint8Array.of(0x48) }]);
  });

  it('starts a kernel whose programs may read the time, though it gives them no leave itself', () => {
    const { machine } = machineWith([]);
    const [sepc, stvec, time, sret] = [0x141, 0x105, 0xc01, 0x1020_0073];
    const programAddress = [addi(5, 0, 1), slli(5, 5, 19), addi(5, 5, 2), slli(5, 5, 12)];
    const kernel = [...programAddress, csr(1, 0, sepc, 5), csr(1, 0, stvec, 5), sret];
    const program = [csr(2, 6, time, 0), addi(7, 0, 1), jal(0, 0)];
    machine.guestMemory.write(ramBase + 0x1000, new Uint8Array(Uint32Array.from(kernel).buffer));
    machine.guestMemory.write(ramBase + 0x2000, new Uint8Array(Uint32Array.from(program).buffer));
    machine.startSupervisor(BigInt(ramBase + 0x1000), 0n);
    machine.run(20);
    expect([machine.stateWord('PRIVILEGE'), machine.stateWord('SCAUSE')]).toEqual([0n, 0n]);
    expect(machine.register(7)).toBe(1n);
  });

  it('loads a state from before PMP was enforced: a kernel on the built-in SBI may do what it could', () => {
    const { machine } = machineWith([]);
    const put = [addi(10, 10, 1), jal(0, -4)];
    machine.guestMemory.write(ramBase + 0x1000, new Uint8Array(Uint32Array.from(put).buffer));
    machine.startSupervisor(BigInt(ramBase + 0x1000), 0n);
    const sections = decodeSections(machine.saveState());
    const { fields } = sections.get('cpu') ?? { fields: {} };
    const old = { ...fields, physicalMemoryProtection: new Uint8Array(144) };
    machine.restoreState(encodeSections(new Map(sections).set('cpu', { version: 1, fields: old })));
    machine.run(5);
    expect([machine.register(10), machine.stateWord('SCAUSE')]).toEqual([3n, 0n]);
    const unknown = encodeSections(new Map(sections).set('cpu', { version: 3, fields: old }));
    expect(() => machine.restoreState(unknown)).toThrow(
      /cpu: state has version 3, this machine reads version 2/,
    );
  });

  it('lets go of a slice when someone pokes it', () => {
    const { machine } = machineWith([jal(0, 0)]);
    machine.memory.poke();
    expect(machine.run(1_000_000)).toMatchObject({ steps: 0, reason: 'attention' });
    expect(machine.memory.takeAttention()).toBe(true);
    expect(machine.run(100_000)).toMatchObject({ steps: 100_000, reason: 'limit' });
  });

  it('fails a store-conditional after another one', () => {
    const words = [
      lui(5, 1),
      slli(5, 5, 19),
      addi(5, 5, 0x400),
      atomic(2, 3, 6, 5, 0),
      atomic(3, 3, 7, 5, 5),
      atomic(3, 3, 8, 5, 5),
      load(3, 9, 5, 0),
      branch(0, 0, 0, 0),
    ];
    const { machine } = machineWith(words);
    machine.run(7);
    expect([7, 8, 9].map((register) => machine.register(register))).toEqual([0n, 1n, 0x8000_0400n]);
  });
});

describe('a guest that makes its devices work', () => {
  const slot = 0x1000_8000;
  const rings = ramBase + 0x10_0000;

  /** A driver that was set up, and a guest that notifies its queue for ever. */
  function stormingMachine(): Machine {
    const machine = new Machine({
      core,
      memory: createMachineMemory(core, memoryMib),
      memoryMib,
      devices: createDevices({ nics: [], rngSeed: new Uint8Array(32) }),
      emit: () => {},
    });
    const program = [lui(5, slot / 4096), store(2, 0, 5, REGISTER.queueNotify), addi(6, 6, 1), jal(0, -8)];
    machine.guestMemory.write(ramBase, new Uint8Array(Uint32Array.from(program).buffer));
    machine.startFirmware();
    const device = machine.board.devices.find(({ baseAddress }) => baseAddress === slot);
    const write = (register: number, value: number) => device?.write(register, 4, value);
    write(REGISTER.status, STATUS.acknowledge | STATUS.driver);
    write(REGISTER.driverFeaturesSelect, 1);
    write(REGISTER.driverFeatures, 1);
    write(REGISTER.status, STATUS.featuresOk);
    write(REGISTER.queueSize, 8);
    write(REGISTER.queueDescriptorLow, rings);
    write(REGISTER.queueDriverLow, rings + 0x1000);
    write(REGISTER.queueDeviceLow, rings + 0x2000);
    write(REGISTER.queueReady, 1);
    write(REGISTER.status, STATUS.driverOk);
    return machine;
  }

  it('is left when its time is up, at a step where nothing of it is lost', () => {
    const machine = stormingMachine();
    const whole = stormingMachine();
    whole.run(1000);
    let runs = 0;
    while (machine.steps < 1000n) {
      const { steps, reason } = machine.run(1000 - Number(machine.steps), () => true);
      expect(steps).toBeLessThan(5);
      expect(['attention', 'limit']).toContain(reason);
      runs += 1;
    }
    expect(runs).toBeGreaterThan(300);
    expect(machine.stateHash()).toBe(whole.stateHash());
  });
});

describe('memory', () => {
  it.each([0, 63, 64.5, 3073, Number.NaN])('of %d MiB is refused', (size) => {
    expect(() => createMachineMemory(core, size)).toThrow(MachineError);
  });

  it('gives a page back to the consumer that could not send it', () => {
    const memory = createMachineMemory(core, memoryMib);
    const view = new MachineMemory(core, memory, memoryMib);
    const { machine } = machineWith([]);
    machine.guestMemory.write(ramBase + 5 * 4096 + 4095, Uint8Array.of(1, 2));
    machine.harvestDirty(dirtyConsumers.migration);
    const taken = machine.memory.takeDirty('migration');
    expect([...pagesOf(taken)]).toEqual([5, 6]);
    expect([...pagesOf(machine.memory.takeDirty('migration'))]).toEqual([]);
    machine.memory.putBackDirty('migration', taken);
    expect([...pagesOf(machine.memory.takeDirty('migration'))]).toEqual([5, 6]);
    expect(machine.memory.isTouched(6)).toBe(true);
    expect(view.isTouched(6)).toBe(false);
  });

  it('released by a device is zero and dirty where it was not zero, and untouched elsewhere', () => {
    const { machine } = machineWith([addi(5, 0, 7), jal(0, 0)]);
    machine.run(2);
    for (const page of [4, 5, 6]) {
      machine.guestMemory.write(ramBase + page * 4096, new Uint8Array(4096).fill(page === 5 ? 0 : 9));
    }
    machine.harvestDirty(dirtyConsumers.migration);
    machine.memory.takeDirty('migration');
    // From the middle of page 4 to the middle of page 7, which nobody has written yet.
    machine.guestMemory.release([{ address: ramBase + 4 * 4096 + 100, lengthBytes: 3 * 4096 }]);
    machine.harvestDirty(dirtyConsumers.migration);
    expect([...pagesOf(machine.memory.takeDirty('migration'))]).toEqual([4, 6]);
    expect(machine.memory.isTouched(7)).toBe(false);
    expect(machine.guestMemory.readable(ramBase + 4 * 4096, 4096)).toEqual(
      new Uint8Array(4096).fill(9, 0, 100),
    );
    expect([machine.pageHash(5), machine.pageHash(6)]).toEqual([0n, 0n]);
    const outside = { address: ramBase - 4096, lengthBytes: 8192 };
    expect(() => machine.guestMemory.release([outside])).toThrow(RangeError);
  });

  it('released by a device is no code any more, though it was decoded', () => {
    const { machine } = machineWith([addi(5, 5, 1), jal(0, -4)]);
    machine.run(10);
    machine.guestMemory.release([{ address: ramBase, lengthBytes: 4096 }]);
    machine.run(1);
    // A word of zeros is an illegal instruction.
    expect(machine.stateWord('MCAUSE')).toBe(2n);
  });

  it('released by a device is free until it is written, by a store that was fast before as by a device', () => {
    // x5 = page 9; stores x0 + counter into it, round and round.
    const auipcPage9 = 0x0000_9297;
    const { machine } = machineWith([auipcPage9, addi(6, 6, 1), store(3, 6, 5, 0), jal(0, -8)]);
    const { memory } = machine;
    machine.run(31);
    const pages = (first: number, count: number) => ({
      address: ramBase + first * 4096,
      lengthBytes: count * 4096,
    });
    // A part of a page is not free, though it is zero.
    machine.guestMemory.release([{ ...pages(9, 3), lengthBytes: 3 * 4096 - 1 }, pages(20, 2)]);
    const free = () =>
      Array.from({ length: memory.pages }, (_, page) => page).filter((page) => memory.isFree(page));
    expect(free()).toEqual([9, 10, 20, 21]);
    machine.run(1);
    expect(free()).toEqual([9, 10, 20, 21]);
    machine.run(3);
    expect(machine.guestMemory.read16(ramBase + 9 * 4096)).toBeGreaterThan(0);
    expect(free()).toEqual([10, 20, 21]);
    machine.guestMemory.write(ramBase + 21 * 4096 + 7, Uint8Array.of(1));
    expect(free()).toEqual([10, 20]);
    machine.writablePages(10, 1);
    expect(free()).toEqual([20]);
  });

  it('hashes a page by content and place, and zeros as nothing', () => {
    const { machine } = machineWith([]);
    machine.guestMemory.write(ramBase + 8 * 4096, Uint8Array.of(1));
    machine.guestMemory.write(ramBase + 9 * 4096, Uint8Array.of(1));
    const [eight, nine] = [machine.pageHash(8), machine.pageHash(9)];
    expect(machine.pageHash(10)).toBe(0n);
    expect(eight).not.toBe(nine);
    machine.guestMemory.write(ramBase + 8 * 4096 + 4095, Uint8Array.of(1));
    expect(machine.pageHash(8)).not.toBe(eight);
  });
});

describe('a saved state', () => {
  it('is refused, with nothing changed, if any one byte of it is wrong', () => {
    const machine = createRestlessGuest(core, 1);
    machine.run(5000);
    const state = machine.saveState();
    const before = machine.stateHash();
    const random = seededRandom(7);
    for (let round = 0; round < 100; round++) {
      const damaged = state.slice();
      const at = random(damaged.length);
      damaged[at] = (damaged[at] ?? 0) ^ (1 + random(255));
      expect(() => machine.restoreState(damaged), `byte ${at}`).toThrow(MachineError);
    }
    expect(() => machine.restoreState(state.subarray(0, 100))).toThrow(MachineError);
    expect(machine.stateHash()).toBe(before);
  });

  it('with valid checksum and hostile fields is refused or gives a machine that runs', () => {
    const machine = createRestlessGuest(core, 2);
    machine.run(5000);
    const sections = decodeSections(machine.saveState());
    const cpu = sections.get('cpu');
    const random = seededRandom(9);
    const extremes = [0n, 1n, 0xffff_ffff_ffff_ffffn, 0x8000_0000_0000_0000n, 0x1234_5678n];
    let accepted = 0;
    for (const name of Object.keys(cpu?.fields ?? {})) {
      for (const extreme of extremes) {
        const value = cpu?.fields[name];
        const hostile =
          value instanceof Uint8Array
            ? value.map(() => random(256))
            : typeof value === 'bigint'
              ? extreme
              : 2 ** 31;
        const changed = new Map(sections);
        changed.set('cpu', { version: cpu?.version ?? 0, fields: { ...cpu?.fields, [name]: hostile } });
        try {
          machine.restoreState(encodeSections(changed));
          accepted++;
        } catch (error) {
          expect(error, name).toBeInstanceOf(MachineError);
        }
        machine.run(500);
      }
    }
    expect(accepted).toBeGreaterThan(50);
  });

  describe('with a TLB', () => {
    /** Of a page number and what else stands in its two halves. */
    const entry = (page: bigint, { valid = 1n, pte = 0xcfn, level = 0n } = {}): bigint[] => [
      (page << 12n) | valid,
      (level << 54n) | pte,
    ];
    const withTlb = (machine: Machine, entries: readonly bigint[][]): Uint8Array => {
      const sections = new Map(decodeSections(machine.saveState()));
      const cpu = sections.get('cpu');
      const tlb = new Uint8Array(BigUint64Array.from(entries.flat()).buffer);
      return encodeSections(sections.set('cpu', { version: 2, fields: { ...cpu?.fields, tlb } }));
    };

    it('has the same entries in the same order when it is saved again', () => {
      const { machine } = machineWith([]);
      const full = Array.from({ length: 1024 }, (_, index) =>
        entry(BigInt((index * 577) % 1024) + (BigInt(index) << 20n), { level: BigInt(index % 3) }),
      );
      for (const entries of [full, full.slice(300, 340), []]) {
        const state = withTlb(machine, entries);
        machine.restoreState(state);
        expect(Buffer.compare(machine.saveState(), state)).toBe(0);
      }
    });

    it.each([
      ['two of one slot', [entry(5n), entry(6n), entry(5n + 1024n)]],
      ['one that is not in use', [entry(5n, { valid: 0n })]],
      ['one with bits where a page has none', [entry(5n, { valid: 0x801n })]],
      ['one that may not be read, written or executed', [entry(5n, { pte: 0x30n })]],
      ['one of a level that there is not', [entry(5n, { level: 3n })]],
    ])('is refused, with nothing changed, for %s', (_, entries) => {
      const { machine } = machineWith([]);
      machine.restoreState(withTlb(machine, [entry(9n)]));
      const before = machine.saveState();
      expect(() => machine.restoreState(withTlb(machine, entries))).toThrow(/cpu.tlb/);
      expect(Buffer.compare(machine.saveState(), before)).toBe(0);
    });
  });

  it('of a machine with other memory is refused', () => {
    const { machine } = machineWith([]);
    const other = new Machine({
      core,
      memory: createMachineMemory(core, memoryMib * 2),
      memoryMib: memoryMib * 2,
      devices: createDevices({ nics: [] }),
      emit: () => {},
    });
    expect(() => other.restoreState(machine.saveState())).toThrow(/other memory/);
    expect(() => loadSnapshot(other, saveSnapshot(machine))).toThrow(/other memory/);
  });
});

describe('a snapshot', () => {
  it('is refused if a byte of its memory is wrong', () => {
    const { machine } = machineWith([jal(0, 0)]);
    const snapshot = saveSnapshot(machine);
    snapshot[snapshot.length - 100] = 1;
    expect(() => loadSnapshot(machine, snapshot)).toThrow(/hash/);
    expect(machine.run(10)).toMatchObject({ steps: 0, reason: 'halt' });
  });

  it('is refused if its lengths do not add up', () => {
    const { machine } = machineWith([jal(0, 0)]);
    const snapshot = saveSnapshot(machine);
    expect(() => loadSnapshot(machine, snapshot.subarray(0, -1))).toThrow(MachineError);
    expect(() => loadSnapshot(machine, new Uint8Array(10))).toThrow(MachineError);
    new DataView(snapshot.buffer).setUint32(16, 0xffff_ffff, true);
    expect(() => loadSnapshot(machine, snapshot)).toThrow(MachineError);
  });
});
