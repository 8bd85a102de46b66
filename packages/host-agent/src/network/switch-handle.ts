/**
 * The main thread's handle on the switch worker, and the one place where ownership of addresses is claimed: a VM
 * that starts or arrives here is claimed at once, here and at the peers, so that no switch waits for the coordinator.
 */
import { Worker } from 'node:worker_threads';
import { Doorbell, Traffic, tunnelCounterNames } from '@skein/network';
import { type ClusterView, CounterBlock, type HostName, type MacOwner, OperationError } from '@skein/shared';
import type { HostedVm } from '../vm/hosted-vm.ts';
import type { SwitchCommand, SwitchEvent, SwitchWorkerData } from './switch-channel.ts';

export interface SwitchHandleOptions {
  readonly host: HostName;
  readonly hasUplink: boolean;
  readonly guestAddress: string | null;
  readonly vxlanPort: number;
  /** Tells the peers; wired to the peer links. */
  readonly announceOwners: (owners: readonly MacOwner[]) => void;
  readonly onConflict: (owner: MacOwner) => void;
  /** The uplink could not be bound to its new address. */
  readonly onUplinkDown: (reason: string) => void;
  /** The uplink is bound for the first time, after a start without an address. */
  readonly onUplinkUp: () => void;
  readonly onDied: (error: Error) => void;
}

const startDeadlineMs = 10_000;

export class SwitchHandle {
  readonly doorbell = Doorbell.create();
  /** Counted by the switch worker. */
  readonly uplinkTraffic = new Traffic();
  readonly tunnelCounters = new CounterBlock(tunnelCounterNames);
  /** Claims of other hosts to an address at its owner's epoch. */
  conflicts = 0;
  readonly #options: SwitchHandleOptions;
  readonly #worker: Worker;
  /** UDP port of the tunnel, which it keeps when it moves; null without one. */
  vxlanPort: number | null = null;

  private constructor(options: SwitchHandleOptions) {
    this.#options = options;
    const workerData: SwitchWorkerData = {
      host: options.host,
      hasUplink: options.hasUplink,
      guestAddress: options.guestAddress,
      vxlanPort: options.vxlanPort,
      doorbell: this.doorbell.buffer,
      uplinkTraffic: this.uplinkTraffic.buffer,
      tunnelCounters: this.tunnelCounters.buffer,
    };
    this.#worker = new Worker(new URL('../../build/switch.worker.js', import.meta.url), { workerData });
    this.#worker.on('error', options.onDied);
  }

  /** @throws OperationError address.in-use, address.unavailable */
  static async start(options: SwitchHandleOptions): Promise<SwitchHandle> {
    const handle = new SwitchHandle(options);
    await handle.#listening();
    return handle;
  }

  /** Connects the VM's vNICs and claims its addresses; again with a later epoch, it raises them. */
  plug(vm: HostedVm): void {
    const nics = vm.runner?.nics ?? [];
    const owners = vm.machine.nics.map((nic) => ({
      mac: nic.mac,
      segment: nic.segment,
      vm: vm.vm,
      host: this.#options.host,
      epoch: vm.epoch,
    }));
    this.setOwners(owners);
    this.#options.announceOwners(owners);
    this.#tell({
      type: 'plug',
      nics: vm.machine.nics.flatMap((nic, index) => {
        const rings = nics[index];
        if (rings === undefined) return [];
        const { transmitRing, receiveRing, traffic } = rings;
        const { mac, segment } = nic;
        return [
          {
            vm: vm.vm,
            nic: index,
            mac,
            segment,
            epoch: vm.epoch,
            control: vm.control.buffer,
            transmitRing,
            receiveRing,
            traffic,
          },
        ];
      }),
    });
    this.#tell({ type: 'announce', vm: vm.vm });
  }

  unplug(vm: HostedVm): void {
    this.#tell({ type: 'unplug', vm: vm.vm });
  }

  setView(view: ClusterView): void {
    this.#tell({ type: 'view', view });
  }

  setOwners(owners: readonly MacOwner[]): void {
    this.#tell({ type: 'owners', owners });
  }

  /** The guest network is at another address now, or away. */
  moveUplink(address: string | null): void {
    this.#tell({ type: 'move-uplink', address });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #tell(command: SwitchCommand): void {
    this.#worker.postMessage(command);
  }

  #listening(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new OperationError({ code: 'timeout', message: 'the switch worker did not start in time' }));
      }, startDeadlineMs);
      this.#worker.on('message', (event: SwitchEvent) => {
        clearTimeout(timer);
        if (event.type === 'listening') {
          const isNew = this.vxlanPort === null && event.port !== null;
          this.vxlanPort ??= event.port;
          resolve();
          if (isNew) this.#options.onUplinkUp();
        } else if (event.type === 'refused') {
          reject(new OperationError({ code: event.code, message: event.message }));
        } else if (event.type === 'uplink-down') {
          this.#options.onUplinkDown(event.message);
        } else {
          this.conflicts += 1;
          this.#options.onConflict(event.owner);
        }
      });
    });
  }
}
