/**
 * A lease service for tests of the coordinator, over a real link: leases kept in memory, taken and passed by the
 * scripted agents of the same test. The real service is a package that the coordinator must not import.
 */
import {
  type Epoch,
  type HostName,
  type LeaseView,
  OperationError,
  storageProtocol,
  type VmId,
} from '@skein/shared';
import { type Listener, listen } from '@skein/transport';

interface Lease {
  owner: HostName | null;
  epoch: Epoch;
  counter: number;
  untilMs: number;
}

export class ScriptedStorage {
  readonly #leases = new Map<VmId, Lease>();
  readonly #ttlMs: number;
  readonly #listener: Listener<typeof storageProtocol>;
  /** It answers nobody while this is set. */
  isMute = false;

  private constructor(listener: Listener<typeof storageProtocol>, ttlMs: number) {
    this.#listener = listener;
    this.#ttlMs = ttlMs;
  }

  static async start(address: string, ttlMs: number): Promise<ScriptedStorage> {
    const held: { storage?: ScriptedStorage } = {};
    const refuse = (): never => {
      throw new OperationError({ code: 'lease.not-owner', message: 'the coordinator only reads leases' });
    };
    const listener = await listen({
      host: address,
      port: 0,
      protocol: storageProtocol,
      own: { role: 'storage', name: 'storage', bootId: 'a'.repeat(32) },
      authentication: { kind: 'none' },
      handlers: {
        requests: {
          'lease.acquire': refuse,
          'lease.renew': refuse,
          'lease.pass': refuse,
          'lease.release': refuse,
          'lease.read': ({ vm }) => ({ lease: held.storage?.read(vm) ?? null }),
          'lease.list': () => ({ leases: held.storage?.list() ?? [], next: null }),
          'lease.fence': refuse,
          'coordinator.claim': refuse,
        },
        notices: {},
      },
    });
    held.storage = new ScriptedStorage(listener, ttlMs);
    return held.storage;
  }

  get port(): number {
    return this.#listener.port;
  }

  read(vm: VmId): LeaseView | null {
    if (this.isMute) throw new OperationError({ code: 'timeout', message: 'the storage service is mute' });
    const lease = this.#leases.get(vm);
    if (lease === undefined) return null;
    const { owner, epoch, counter, untilMs } = lease;
    const remainingMs = owner === null ? 0 : Math.max(0, untilMs - performance.now());
    return { vm, owner, epoch, counter, remainingMs };
  }

  list(): LeaseView[] {
    return [...this.#leases.keys()].flatMap((vm) => this.read(vm) ?? []);
  }

  acquire(vm: VmId, owner: HostName, expectEpoch: Epoch): Epoch {
    const lease = this.read(vm);
    if ((lease?.epoch ?? 0) !== expectEpoch) {
      throw new OperationError({
        code: 'lease.stale-epoch',
        message: `${vm} is at epoch ${lease?.epoch ?? 0}`,
      });
    }
    if (lease !== null && lease.remainingMs > 0 && lease.owner !== owner) {
      throw new OperationError({ code: 'lease.held', message: `${vm} is leased to ${lease.owner}` });
    }
    return this.#grant(vm, owner, expectEpoch + 1);
  }

  renew(vm: VmId, owner: HostName, epoch: Epoch): boolean {
    const lease = this.#leases.get(vm);
    if (lease === undefined || lease.owner !== owner || lease.epoch !== epoch) return false;
    lease.counter += 1;
    lease.untilMs = performance.now() + this.#ttlMs;
    return true;
  }

  pass(vm: VmId, target: HostName): Epoch {
    return this.#grant(vm, target, (this.#leases.get(vm)?.epoch ?? 0) + 1);
  }

  release(vm: VmId, owner: HostName): void {
    const lease = this.#leases.get(vm);
    if (lease?.owner === owner) lease.owner = null;
  }

  close(): Promise<void> {
    return this.#listener.close();
  }

  #grant(vm: VmId, owner: HostName, epoch: Epoch): Epoch {
    this.#leases.set(vm, { owner, epoch, counter: 0, untilMs: performance.now() + this.#ttlMs });
    return epoch;
  }
}
