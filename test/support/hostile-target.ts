/**
 * A host h9 that speaks the migration protocol, is let in, and lies: the target's side, against a real agent as source. It
 * acknowledges and answers as a target should until a test says otherwise.
 */
import { machineVersion } from '@skein/machine';
import {
  type MigrationFinal,
  type MigrationSettings,
  migrationProtocol,
  migrationSettingsDefaults,
} from '@skein/shared';
import { type CloseReason, dial, type Link } from '@skein/transport';
import type { AgentBed, BedVm } from './agent-bed.ts';
import { hostileHost } from './hostile-source.ts';
import { until } from './until.ts';

type TargetLink = Link<typeof migrationProtocol, 'dialer'>;

export interface HostileTargetOptions {
  readonly settings?: Partial<MigrationSettings>;
  /** Bytes that are acknowledged for a frame of so many; all of them unless given, none at 0. */
  readonly acknowledges?: (bytes: number) => number;
  /** What it answers to the final message; an echo of the hash unless given. */
  readonly stateHash?: (final: MigrationFinal) => string;
}

const deadlineMs = 5000;

export class HostileTarget {
  readonly operation: string;
  readonly link: TargetLink;
  closed: CloseReason | null = null;
  receivedBytes = 0;
  /** The source said so. */
  hasGrant = false;
  readonly #vm: BedVm;

  private constructor(operation: string, vm: BedVm, link: TargetLink) {
    this.operation = operation;
    this.#vm = vm;
    this.link = link;
    void link.closed.then((reason) => {
      this.closed = reason;
    });
  }

  /** Tells the VM's host to migrate it to h9, and dials it. */
  static async open(bed: AgentBed, vm: BedVm, options: HostileTargetOptions = {}): Promise<HostileTarget> {
    const operation = bed.nextOperation();
    const settings = { ...migrationSettingsDefaults, deadlineMs: 30_000, ...options.settings };
    const command = { operation, vm: vm.vm, epoch: vm.epoch, targetHost: hostileHost, settings };
    const { address, port } = await bed.link(vm.host).request('migration.source', command, { deadlineMs });
    let target: HostileTarget | null = null;
    const link = await dial({
      host: address,
      port,
      localAddress: bed.strangers.migration,
      protocol: migrationProtocol,
      own: { role: 'transfer', name: hostileHost, bootId: '9'.repeat(32) },
      authentication: { kind: 'none' },
      maxPayloadBytes: 8 << 20,
      handlers: {
        requests: {
          'migration.final': (final) => ({
            stateHashTarget: options.stateHash?.(final) ?? final.stateHash,
            readyAtNs: process.hrtime.bigint(),
          }),
          'migration.history': () => ({}),
        },
        notices: {
          'migration.code': () => {},
          'pages.coming': () => {},
          'migration.state': () => {},
          'migration.granted': () => {
            if (target !== null) target.hasGrant = true;
          },
          'migration.aborted': () => {},
        },
      },
    });
    link.onBulk = (frame) => {
      if (target !== null) target.receivedBytes += frame.length;
      const bytes = options.acknowledges?.(frame.length) ?? frame.length;
      if (bytes > 0) link.notify('pages.applied', { bytes });
    };
    target = new HostileTarget(operation, vm, link);
    return target;
  }

  async hello(lie: { readonly machineVersion?: number } = {}): Promise<void> {
    const { vm, epoch } = this.#vm;
    const body = { operation: this.operation, vm, epoch, host: hostileHost, machineVersion, ...lie };
    await this.link.request('migration.hello', body, { deadlineMs });
  }

  async begin(): Promise<void> {
    await this.link.request('migration.begin', {}, { deadlineMs });
  }

  async resumed(): Promise<void> {
    const nowNs = process.hrtime.bigint();
    const times = {
      readyAtNs: nowNs,
      grantedAtNs: nowNs,
      resumedAtNs: nowNs,
      clockOffsetNs: 0n,
      clockOffsetErrorNs: 0n,
      stateHashTarget: '0'.repeat(16),
      ahead: { allocatedPages: 0, decodedPages: 0, headStartSteps: 0 },
      waits: { pages: 0, waitMs: 0, waitMsMax: 0 },
    };
    await this.link.request('migration.resumed', times, { deadlineMs });
  }
}

/** Lets it tell, and waits until the source has hung up. */
export async function lieAsTarget(
  bed: AgentBed,
  vm: BedVm,
  tell: (target: HostileTarget) => Promise<unknown> | unknown,
  options: HostileTargetOptions = {},
): Promise<HostileTarget> {
  const target = await HostileTarget.open(bed, vm, options);
  await tell(target);
  await until('the source hangs up', () => target.closed !== null, deadlineMs);
  return target;
}
