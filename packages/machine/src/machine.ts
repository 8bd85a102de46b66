/**
 * One emulated computer: the core, its devices and its RAM. A deterministic function of its state and its inputs on
 * a clock of its own, steps (architecture: Five ideas, 1). It knows nothing of hosts, threads or time; whoever owns
 * it gives it steps to run and inputs between them.
 */
import { type CoreExports, type CoreModules, instantiateCore, layoutOf } from './core-module.ts';
import { CpuState } from './cpu-state.ts';
import { type BoardDevices, DeviceBus, type DeviceFactory, DeviceMemory } from './device-bus.ts';
import type { Device, DeviceState, GuestMemory, MachineOutput } from './devices/device.ts';
import { restoreDevices } from './devices/restore-devices.ts';
import type { MachineInput } from './input.ts';
import { MachineError } from './machine-error.ts';
import { MachineMemory, pageBytes } from './machine-memory.ts';
import type { RunResult, StopReason, Wake } from './run-result.ts';
import { decodeSections, encodeSections } from './state-codec.ts';
import { addHashes, hashBytes } from './state-hash.ts';
import { UsedCode } from './used-code.ts';

export interface MachineOptions {
  readonly core: CoreModules;
  /** From createMachineMemory or growMachineMemory; fresh, or filled by someone who then calls restoreState or restoreArrivedState. */
  readonly memory: WebAssembly.Memory;
  readonly memoryMib: number;
  readonly devices: DeviceFactory;
  /** Views of guest memory in an output are valid only during the call. */
  readonly emit: (output: MachineOutput) => void;
  /**
   * Called on this thread, in the middle of an instruction, when a page is touched that is missing (MachineMemory.
   * setMissing): returns when it is there. May throw where the machine is to end.
   */
  readonly awaitPage?: (page: number) => void;
}

/** Physical addresses: of the first instruction, and of what a1 and a2 point to. */
export interface FirmwareStart {
  readonly entry?: bigint;
  readonly deviceTreeAddress?: bigint;
  /** What OpenSBI's dynamic firmware is told (firmware-image.ts). */
  readonly dynamicInformationAddress?: bigint;
}

const never = 0xffff_ffff_ffff_ffffn;
const runStepsMax = 0x7fff_ffff;
const machineSectionVersion = 1;
/** A device that asks to be processed so often without a step in between would never stop. */
const kicksWithoutStepMax = 1000;

export class Machine {
  readonly memory: MachineMemory;
  /** RAM for loading images and for looking at it; writes keep the dirty log and the decoded code right. */
  readonly guestMemory: GuestMemory;
  /** Which code the guest uses, and decoding it ahead where it goes on. */
  readonly usedCode: UsedCode;
  readonly #core: CoreExports;
  readonly #bus = new DeviceBus();
  readonly #cpu: CpuState;
  readonly #runSteps: Uint32Array;
  readonly #reasons: ReadonlyMap<number, 'limit' | 'idle' | 'kick' | 'attention'>;
  readonly #ramAddress: number;
  #isHalted = false;

  constructor(options: MachineOptions) {
    const { core: modules, memory } = options;
    this.memory = new MachineMemory(modules, memory, options.memoryMib);
    const instance = instantiateCore(modules.core, memory, {
      deviceRead: (address, size) => this.#bus.read(address, size),
      deviceWrite: (address, size, value) => this.#bus.write(address, size, value),
      awaitPage:
        options.awaitPage ??
        ((page) => {
          throw new Error(`page ${page} of RAM is missing, and nobody brings it`);
        }),
    });
    this.#core = instance.exports as unknown as CoreExports;
    this.#cpu = new CpuState(modules, memory, this.#core, this.memory.pages);
    this.usedCode = new UsedCode(modules, memory, this.#core);
    this.#ramAddress = layoutOf(modules, 'RAM');
    this.#runSteps = new Uint32Array(memory.buffer, layoutOf(modules, 'RUN_STEPS'), 1);
    this.#reasons = new Map([
      [layoutOf(modules, 'REASON_LIMIT'), 'limit'],
      [layoutOf(modules, 'REASON_IDLE'), 'idle'],
      [layoutOf(modules, 'REASON_KICK'), 'kick'],
      [layoutOf(modules, 'REASON_ATTENTION'), 'attention'],
    ]);
    this.#core.initialise(this.memory.pages);
    this.guestMemory = new DeviceMemory(this.memory, this.#core);
    this.#bus.connect({
      modules,
      memory: this.memory,
      core: this.#core,
      factory: options.devices,
      emit: (output) => this.#emit(output, options.emit),
    });
  }

  /**
   * Before it runs: of the 32 pages from `first` on, a multiple of 32, the host gives those whose bit is set, and that were not brought yet, their memory; returns how many.
   */
  allocatePages(first: number, pages: number): number {
    return this.#core.allocatePages(first, pages);
  }

  /** Begins in S mode with the built-in SBI, as firmware would hand over to a kernel. */
  startSupervisor(entry: bigint, deviceTreeAddress: bigint): void {
    this.#core.reset();
    this.#bus.reset();
    this.#isHalted = false;
    this.#core.enterSupervisor(entry, deviceTreeAddress);
    this.#bus.refreshAlarm();
  }

  /** Begins in M mode: firmware or a bare-metal image that was written into RAM, by default to its start. */
  startFirmware(start: FirmwareStart = {}): void {
    const { entry, deviceTreeAddress = 0n, dynamicInformationAddress = 0n } = start;
    this.#core.reset();
    this.#bus.reset();
    this.#isHalted = false;
    if (entry !== undefined) this.#cpu.setProgramCounter(entry);
    this.#cpu.setRegister(11, deviceTreeAddress);
    this.#cpu.setRegister(12, dynamicInformationAddress);
    this.#bus.refreshAlarm();
  }

  /**
   * Runs at most so many steps. Splitting a run, with no input between, changes nothing; so `isTimeUp`, asked whenever
   * devices have worked, may look at a clock: a guest can ask them for much work with few steps.
   */
  run(limitSteps: number, isTimeUp: () => boolean = () => false): RunResult {
    let remaining = Math.max(0, Math.floor(limitSteps));
    let reason: StopReason = this.#isHalted ? 'halt' : 'limit';
    let kicksWithoutStep = 0;
    let deviceTurns = 0;
    while (!this.#isHalted) {
      const code = this.#core.run(Math.min(remaining, runStepsMax));
      const done = this.#runSteps[0] ?? 0;
      remaining -= done;
      kicksWithoutStep = done === 0 ? kicksWithoutStep + 1 : 0;
      if (kicksWithoutStep > kicksWithoutStepMax) throw new Error('a device asks to be processed for ever');
      const stopped = this.#reasons.get(code);
      if (stopped === 'kick') {
        this.#process();
        deviceTurns++;
        if (this.#isHalted) reason = 'halt';
        else if (isTimeUp()) {
          reason = 'attention';
          break;
        }
        continue;
      }
      if (stopped === 'limit' && remaining > 0) continue;
      reason = stopped ?? 'limit';
      break;
    }
    this.#bus.endSlice();
    return { steps: Math.max(0, Math.floor(limitSteps)) - remaining, reason, deviceTurns };
  }

  /** Between two runs. Takes effect before the next instruction. */
  apply(input: MachineInput): void {
    switch (input.type) {
      case 'time':
        this.#core.setTime(
          BigInt.asUintN(64, input.guestTicks),
          Math.min(0xffff_ffff, Math.max(0, Math.floor(input.ratePerStep))),
        );
        break;
      case 'console':
        this.board.uart?.receive(input.bytes);
        break;
      case 'frame':
        this.board.nics?.[input.nic]?.receive(input.frame);
        break;
      case 'link':
        this.board.nics?.[input.nic]?.setLink(input.isUp);
        break;
      case 'announce':
        this.board.nics?.[input.nic]?.requestAnnounce();
        break;
      case 'identity':
        this.board.identityPort?.receive(input.bytes);
        break;
      case 'balloon':
        this.board.balloon?.setTarget(input.targetPages);
        break;
      case 'power':
        this.#isHalted = true;
        break;
    }
    this.#processIfAsked();
  }

  get board(): BoardDevices {
    return this.#bus.board;
  }

  /** The guest reads its identity port and has not been told anything: the point at which a template is taken. */
  get isIdentityAwaited(): boolean {
    return this.board.identityPort?.isAwaited ?? false;
  }

  get isHalted(): boolean {
    return this.#isHalted;
  }

  get steps(): bigint {
    return this.#cpu.word('STEPS');
  }

  get programCounter(): bigint {
    return this.#cpu.word('PC');
  }

  /** x0 to x31. */
  register(number: number): bigint {
    return this.#cpu.register(number);
  }

  /** A 64-bit word of the core's state by its name in assembly/layout.ts, for tests and debugging. */
  stateWord(name: string): bigint {
    return this.#cpu.word(name);
  }

  /** Guest time in ticks of 10 MHz, at this step. */
  guestTimeTicks(): bigint {
    return BigInt.asUintN(64, this.#core.timeAt(this.steps));
  }

  wake(): Wake {
    if (this.#isHalted) return { kind: 'never' };
    if (this.#core.isRunnable() !== 0) return { kind: 'now' };
    const guestTicks = BigInt.asUintN(64, this.#core.nextTimerTime());
    return guestTicks === never ? { kind: 'never' } : { kind: 'at', guestTicks };
  }

  /** Ends a dirty epoch: its pages go to the consumers in the mask (dirtyConsumers). Returns how many they were. */
  harvestDirty(consumers: number): number {
    return this.#core.harvest(consumers);
  }

  /** CPU, TLB, interrupt controllers and devices; without RAM. */
  saveState(): Uint8Array {
    return this.#save(this.board.devices);
  }

  /**
   * The same without the devices of the VM's own (BoardDevices.perVm), which a clone has new.
   * @throws MachineError template.not-possible when the guest has begun to use one of them
   */
  saveTemplateState(): Uint8Array {
    const changed = this.#bus.changedPerVmDevice();
    if (changed !== undefined) {
      throw new MachineError(
        'template.not-possible',
        `the guest uses ${changed.name}, which is its own: no clone can have it`,
      );
    }
    return this.#save(this.#templateDevices);
  }

  /**
   * Takes over a saved state, whose RAM is there already or comes before the next run. Nothing is changed if any
   * part of it is refused.
   * @throws MachineError snapshot.invalid, snapshot.version, snapshot.other-machine
   */
  restoreState(bytes: Uint8Array): void {
    this.#restore(bytes, this.board.devices);
    this.#core.dropDecoded();
    this.#bus.refreshAlarm();
  }

  /** The same where RAM is brought by somebody who notes what he writes: code that was decoded ahead stays. Errors as restoreState. */
  restoreArrivedState(bytes: Uint8Array): void {
    this.#restore(bytes, this.board.devices);
    this.#core.refreshDerived();
    this.#bus.refreshAlarm();
  }

  /** Becomes a clone: the state of a template, with devices of its own at power-on. Errors as restoreState. */
  restoreTemplateState(bytes: Uint8Array): void {
    this.#restore(bytes, this.#templateDevices);
    this.#core.dropDecoded();
    for (const device of this.board.perVm ?? []) device.reset();
    this.#bus.refreshAlarm();
  }

  /** Before the first step of a boot or a clone: what its clock shows, in ns since 1970. */
  setWallClock(timeNs: bigint): void {
    this.board.clock?.setWallClock(timeNs);
    this.#bus.refreshAlarm();
  }

  /** Whole pages of RAM, to be filled before the next run: they count as written, and code decoded from them is forgotten. */
  writablePages(first: number, count: number): Uint8Array<SharedArrayBuffer> {
    this.#core.dmaPrepare(first * pageBytes, count * pageBytes);
    return this.memory.ram.subarray(first * pageBytes, (first + count) * pageBytes);
  }

  /** Hash of what saveState saves. */
  cpuAndDevicesHash(): bigint {
    return hashBytes(this.saveState());
  }

  /** 64-bit hash of a page of RAM, keyed by its number; 0 for a page of zeros. */
  pageHash(page: number): bigint {
    return BigInt.asUintN(64, this.#core.pageHash(this.#ramAddress + page * pageBytes, page));
  }

  /** Sum of the hashes of all pages ever written. */
  memoryHash(): bigint {
    const { ramAddress, touchedAddress, pages } = this.memory;
    return BigInt.asUintN(64, this.#core.sumPageHashes(ramAddress, touchedAddress, 0, pages));
  }

  /** All of RAM becomes zero: before it is filled anew. */
  clearMemory(): void {
    for (let page = 0; page < this.memory.pages; page++) {
      if (!this.memory.isTouched(page)) continue;
      this.#core.dmaPrepare(page * pageBytes, pageBytes);
      this.memory.page(page).fill(0);
    }
  }

  /** Digest of the whole machine at this step. */
  stateHash(): bigint {
    return addHashes(this.memoryHash(), this.cpuAndDevicesHash());
  }

  /** Forgets every derived cache; no guest can tell (architecture: TLB). For tests of exactly that. */
  dropDerivedCaches(): void {
    this.#core.dropDecoded();
  }

  get #templateDevices(): readonly Device[] {
    const perVm = new Set(this.board.perVm ?? []);
    return this.board.devices.filter((device) => !perVm.has(device));
  }

  #save(devices: readonly Device[]): Uint8Array {
    this.#bus.endSlice();
    const fields = { memoryPages: this.memory.pages, isHalted: this.#isHalted };
    const sections = new Map<string, DeviceState>([
      ['machine', { version: machineSectionVersion, fields }],
      ['cpu', this.#cpu.save()],
    ]);
    for (const device of devices) sections.set(device.name, device.save());
    return encodeSections(sections);
  }

  #restore(bytes: Uint8Array, devices: readonly Device[]): void {
    const sections = decodeSections(bytes);
    const isHalted = this.#checkMachine(sections.get('machine'));
    const names = new Set(['machine', 'cpu', ...devices.map(({ name }) => name)]);
    const missing = [...names].find((name) => !sections.has(name));
    const extra = [...sections.keys()].find((name) => !names.has(name));
    if (missing !== undefined || extra !== undefined) {
      const difference = missing === undefined ? `has ${extra} too many` : `lacks ${missing}`;
      throw new MachineError(
        'snapshot.other-machine',
        `the saved state is of another board: it ${difference}`,
      );
    }
    const cpu = sections.get('cpu');
    if (cpu === undefined) throw new MachineError('snapshot.invalid', 'the saved state lacks its CPU');
    const commitCpu = this.#cpu.prepare(cpu);
    restoreDevices(devices, sections);
    commitCpu();
    this.#isHalted = isHalted;
  }

  #emit(output: MachineOutput, sink: (output: MachineOutput) => void): void {
    if (output.type === 'power') {
      this.#isHalted = true;
      this.#core.requestProcessing();
    }
    sink(output);
  }

  #process(): void {
    this.#bus.process();
  }

  #processIfAsked(): void {
    while (this.#core.takeKick() !== 0) this.#process();
    this.#bus.refreshAlarm();
  }

  #checkMachine(section: DeviceState | undefined): boolean {
    const { memoryPages, isHalted } = section?.fields ?? {};
    if (section?.version !== machineSectionVersion || typeof isHalted !== 'boolean') {
      throw new MachineError('snapshot.invalid', 'the saved state does not say what machine it is of');
    }
    if (memoryPages !== this.memory.pages) {
      throw new MachineError('snapshot.other-machine', 'the saved state is of a machine with other memory');
    }
    return isHalted;
  }
}
