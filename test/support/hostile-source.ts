/**
 * A host h9 that speaks the migration protocol, is let in, and lies: the source's side, against a real agent as target. What it
 * says is the test's to choose; what the target says is kept.
 */
import { vmDevices } from '@skein/host-agent';
import {
  addHashes,
  createDevices,
  createMachineMemory,
  loadCore,
  Machine,
  machineVersion,
  savedStateHash,
} from '@skein/machine';
import {
  batchBytesMax,
  type GuestHistory,
  type MachineSpec,
  type MigrationFinal,
  type MigrationRecord,
  migrationProtocol,
  PageBatchWriter,
  timingDefaults,
} from '@skein/shared';
import { LeaseClient } from '@skein/storage';
import { type CloseReason, type Link, type Listener, listen } from '@skein/transport';
import type { AgentBed } from './agent-bed.ts';
import { until } from './until.ts';

type SourceLink = Link<typeof migrationProtocol, 'listener'>;

export const hostileHost = 'h9';
const memoryMib = 64;
const deadlineMs = 5000;
const bootId = '9'.repeat(32);

export interface HostileSourceOptions {
  readonly machineVersion?: number;
  readonly memoryMib?: number;
  /** Answered to the target when it says that its guest runs; never, unless given. */
  readonly record?: () => MigrationRecord;
}

export class HostileSource {
  readonly operation: string;
  readonly vm: string;
  readonly state: Uint8Array;
  /** Why the target gave up, as it says before it hangs up. */
  refusal: { readonly code: string; readonly reason: string } | null = null;
  closed: CloseReason | null = null;
  /** The target said that its guest runs. */
  hasHeardResumed = false;
  /** Of pages, as the target says that it applied them. */
  acknowledgedBytes = 0;
  readonly #machine: Machine;
  readonly #bed: AgentBed;
  readonly #options: HostileSourceOptions;
  #listener: Listener<typeof migrationProtocol> | null = null;
  #link: SourceLink | null = null;
  #hasBegun = false;
  #batches = 0;

  private constructor(bed: AgentBed, machine: Machine, spec: MachineSpec, options: HostileSourceOptions) {
    this.operation = bed.nextOperation();
    this.vm = `vm-f${this.operation.slice(-15)}`;
    this.#bed = bed;
    this.#machine = machine;
    this.#options = options;
    this.state = machine.saveState();
    this.spec = spec;
  }

  readonly spec: MachineSpec;

  /** Listens, tells the target to come, and resolves when it has begun to wait for pages, or has given up. */
  static async open(
    bed: AgentBed,
    image: string,
    options: HostileSourceOptions = {},
  ): Promise<HostileSource> {
    const core = await loadCore();
    const machine = new Machine({
      core,
      memory: createMachineMemory(core, memoryMib),
      memoryMib,
      devices: createDevices(vmDevices({ nics: [], rngSeed: new Uint8Array(32), rtcEpochSeconds: 0 })),
      emit: () => {},
    });
    const cpu = { reservationMhz: 0, shares: 1000 };
    const spec = { memoryMib, image, nics: [], bootArguments: '', cpu };
    const source = new HostileSource(bed, machine, spec, options);
    await source.#call();
    return source;
  }

  get link(): SourceLink {
    if (this.#link === null) throw new Error('no target came');
    return this.#link;
  }

  /** Hash of what it sent so far, if it was honest in that. */
  get stateHash(): string {
    return addHashes(this.#machine.memoryHash(), savedStateHash(this.state)).toString(16).padStart(16, '0');
  }

  /** One page of these bytes, honestly hashed unless told otherwise; nothing if it is all zero. */
  sendPage(
    page: number,
    byte: number,
    lie: { readonly hash?: bigint; readonly sequence?: number } = {},
  ): void {
    this.#machine.memory.page(page).fill(byte);
    this.#machine.memory.markTouched(page);
    const writer = new PageBatchWriter(new Uint8Array(batchBytesMax));
    writer.bytes.fill(byte, writer.nextDataOffset, writer.nextDataOffset + 4096);
    writer.addRaw(page, lie.hash ?? this.#machine.pageHash(page));
    this.link.sendBulk(writer.finish(1, lie.sequence ?? this.#batches++));
  }

  /** Full batches of honest pages, all memory so many times over, without a look at what is acknowledged. */
  async flood(times: number): Promise<void> {
    const writer = new PageBatchWriter(new Uint8Array(batchBytesMax));
    for (let time = 1; time <= times; time++) {
      for (let page = 0; page < this.#machine.memory.pages; page++) {
        this.#machine.memory.page(page).fill(time);
        this.#machine.memory.markTouched(page);
        writer.bytes.fill(time, writer.nextDataOffset, writer.nextDataOffset + 4096);
        writer.addRaw(page, this.#machine.pageHash(page));
        if (!writer.isFull) continue;
        // Its memory is used again: what goes is a copy.
        this.link.sendBulk(writer.finish(time, this.#batches++).slice());
        writer.clear();
        if (this.link.unsentBytes > 1 << 20)
          await until('the socket takes more', () => this.link.unsentBytes < 1 << 20);
      }
    }
  }

  /** A zero page of this number, whether there is such a page or not. */
  sendZeroPage(page: number): void {
    const writer = new PageBatchWriter(new Uint8Array(batchBytesMax));
    writer.addZero(page);
    this.link.sendBulk(writer.finish(1, this.#batches++));
  }

  /** A page whose data are said to be compressed. */
  sendCompressed(page: number, compressed: Uint8Array): void {
    const writer = new PageBatchWriter(new Uint8Array(batchBytesMax));
    writer.addRaw(page, 1n);
    this.link.sendBulk(writer.finishCompressed(1, this.#batches++, compressed));
  }

  /** Said to be the code that its guest uses. */
  sendUsedCode(usedCode: Uint8Array): void {
    this.link.notify('migration.code', { usedCode });
  }

  /** Pages from this one on are said to come. */
  sendComing(firstPage: number, pages: Uint8Array): void {
    this.link.notify('pages.coming', { firstPage, pages });
  }

  sendState(state = this.state): void {
    this.link.notify('migration.state', { state });
  }

  /** Resolves with the target's answer: null if it is ready, else the code of its refusal. */
  async sendFinal(lie: Partial<MigrationFinal> = {}): Promise<string | null> {
    const final = {
      stateHash: this.stateHash,
      guestTicks: 0n,
      suspendedAtNs: process.hrtime.bigint(),
      batches: this.#batches,
      missing: null,
      ...lie,
    };
    return await this.link.request('migration.final', final, { deadlineMs }).then(
      () => null,
      (error: { code: string }) => error.code,
    );
  }

  /** State and final as they should be: the target awaits the grant. */
  async makeReady(final: Partial<MigrationFinal> = {}): Promise<void> {
    this.sendState();
    const refusal = await this.sendFinal(final);
    if (refusal !== null) throw new Error(`the target is not ready: ${refusal}`);
  }

  grant(epoch = 2): void {
    this.link.notify('migration.granted', { epoch });
  }

  /** Resolves with null, or the code of the refusal. */
  async tellHistory(history: GuestHistory): Promise<string | null> {
    return await this.link.request('migration.history', history, { deadlineMs }).then(
      () => null,
      (error: { code: string }) => error.code,
    );
  }

  /** The lease of its VM, taken for h9 and passed to the target, as it should be. */
  async passLease(target: string): Promise<void> {
    const { storage, storageA } = this.#bed.strangers;
    const leases = new LeaseClient({
      host: storage.address,
      port: storage.port,
      localAddress: storageA,
      own: { role: 'transfer', name: hostileHost, bootId },
      authentication: { kind: 'none' },
      timing: timingDefaults,
    });
    await until('the storage service is reached', () => leases.isConnected);
    await leases.acquire(this.vm, 0);
    await leases.pass(this.vm, 1, target);
    leases.close();
  }

  async close(): Promise<void> {
    await this.#listener?.close();
  }

  async #call(): Promise<void> {
    const options = this.#options;
    this.#listener = await listen({
      host: this.#bed.strangers.migration,
      port: 0,
      protocol: migrationProtocol,
      own: { role: 'transfer', name: hostileHost, bootId },
      authentication: { kind: 'none' },
      onLink: (link) => {
        this.#link = link;
        void link.closed.then((reason) => {
          this.closed = reason;
        });
      },
      handlers: {
        requests: {
          'migration.hello': () => ({
            memoryMib: options.memoryMib ?? memoryMib,
            machineVersion: options.machineVersion ?? machineVersion,
          }),
          'migration.clock': () => ({ nowNs: process.hrtime.bigint() }),
          'migration.begin': () => {
            this.#hasBegun = true;
            return {};
          },
          'migration.resumed': () => {
            this.hasHeardResumed = true;
            const record = options.record?.();
            return record === undefined ? new Promise<never>(() => {}) : { record };
          },
        },
        notices: {
          'migration.refused': (refusal) => {
            this.refusal = refusal;
          },
          'pages.wanted': () => {},
          'pages.applied': ({ bytes }) => {
            this.acknowledgedBytes += bytes;
          },
        },
      },
    });
    await this.#bed.link('h2').request(
      'migration.target',
      {
        operation: this.operation,
        vm: this.vm,
        name: 'ghost',
        machine: this.spec,
        epoch: 1,
        sourceHost: hostileHost,
        sourceAddress: this.#bed.strangers.migration,
        sourcePort: this.#listener.port,
        deadlineMs: 30_000,
      },
      { deadlineMs },
    );
    await until('the target begins, or gives up', () => this.#hasBegun || this.closed !== null);
  }
}

/** Lets it tell, and waits until the target has hung up. */
export async function lieAsSource(
  bed: AgentBed,
  image: string,
  tell: (source: HostileSource) => Promise<unknown> | unknown,
  options: HostileSourceOptions = {},
): Promise<HostileSource> {
  const source = await HostileSource.open(bed, image, options);
  try {
    await tell(source);
    await until('the target hangs up', () => source.closed !== null, deadlineMs);
    return source;
  } finally {
    await source.close();
  }
}
