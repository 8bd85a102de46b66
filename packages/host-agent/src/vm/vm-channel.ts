/**
 * What is said to a VM worker and by it. The worker never returns to its event loop while its VM lives: it reads
 * its ports when the attention word was poked. Whoever posts to it pokes afterwards.
 */
import type { MessagePort } from 'node:worker_threads';
import type { CoreModules, MachineInput } from '@skein/machine';
import type { FrameRingHandle } from '@skein/network';
import type { GuestClock } from '../core/guest-clock.ts';
import type { TemplatePlace } from '../template/template-store.ts';

/** To a spare worker: practise what was not practised yet, in steps, until there is an assignment. */
export interface VmRehearsal {
  readonly type: 'rehearse';
  readonly core: CoreModules;
  /** To be touched, for whichever machine will have it. */
  readonly memory: WebAssembly.Memory;
}

/** From then on the worker is this VM's, until it has ended. */
export interface VmAssignment {
  readonly type: 'assign';
  readonly core: CoreModules;
  readonly memory: WebAssembly.Memory;
  readonly memoryMib: number;
  readonly control: SharedArrayBuffer;
  readonly nics: readonly VmNic[];
  readonly port: MessagePort;
  readonly origin: VmOrigin;
}

/** From the worker beside its VM's events: nothing of the VM is left in it, and it is there for another one. */
export interface VmWorkerMessage {
  readonly type: 'spare';
}

export interface VmNic {
  readonly mac: string;
  /** Frames from the guest to the switch: its doorbell is the switch worker's. */
  readonly transmitRing: FrameRingHandle;
  /** Frames from the switch: its doorbell is the machine's attention word. */
  readonly receiveRing: FrameRingHandle;
  /** What the switch counts at this vNIC's port. */
  readonly traffic: SharedArrayBuffer;
}

/** What only this guest has (core/guest-identity.ts). */
export interface GuestIdentity {
  readonly words: readonly string[];
  readonly entropy: Uint8Array;
}

export type VmOrigin =
  | {
      readonly kind: 'boot';
      readonly kernel: Uint8Array;
      readonly initrd: Uint8Array;
      readonly bootArguments: string;
      readonly randomSeed: Uint8Array;
      /** Null: the guest is not told who it is, for it reads its command line, or is a template in the making. */
      readonly identity: GuestIdentity | null;
      /** Where to put a template when the guest asks who it is. A guest without an identity then ends. */
      readonly template: TemplatePlace | null;
    }
  | { readonly kind: 'clone'; readonly templatePath: string; readonly identity: GuestIdentity }
  /** Memory arrives by a transfer worker; state by `prepare`. */
  | { readonly kind: 'incoming' };

export type VmCommand =
  | { readonly type: 'input'; readonly input: MachineInput }
  /** Adds a port of a transfer worker, whose requests are TransferCommand. */
  | { readonly type: 'attach-transfer'; readonly port: MessagePort }
  | { readonly type: 'announce' }
  | { readonly type: 'resume' }
  | { readonly type: 'stop' };

export type TransferCommand =
  /** Collect the dirty pages of the migration's consumer at the next slice's end. */
  | { readonly type: 'harvest' }
  | { readonly type: 'suspend' }
  | { readonly type: 'resume' }
  /** Target: take over this CPU and device state, say what it hashes to, do not run yet. */
  | { readonly type: 'prepare'; readonly state: Uint8Array }
  /** Target: the lease is ours, run. */
  | { readonly type: 'activate'; readonly clock: GuestClock };

export type TransferReply =
  | { readonly type: 'harvested' }
  | {
      readonly type: 'suspended';
      readonly state: Uint8Array;
      readonly stateHash: bigint;
      readonly guestTicks: bigint;
      readonly suspendedAtNs: bigint;
    }
  | { readonly type: 'resumed' }
  | { readonly type: 'prepared'; readonly stateHash: bigint }
  | { readonly type: 'activated'; readonly atNs: bigint }
  | { readonly type: 'failed'; readonly message: string };

/** What a VM worker says to the transfer worker unasked. */
export type TransferCall =
  /** The guest waits for this page. */
  | { readonly type: 'page-wanted'; readonly page: number }
  | { readonly type: 'page-awaited'; readonly waitMs: number };

/** What a VM worker tells the main thread. */
export type VmEvent =
  | { readonly type: 'first-step'; readonly atNs: bigint }
  | { readonly type: 'console'; readonly bytes: Uint8Array }
  | { readonly type: 'frozen' }
  | { readonly type: 'thawed' }
  | { readonly type: 'suspended' }
  | { readonly type: 'resumed' }
  | { readonly type: 'power'; readonly action: 'off' | 'reboot' | 'fail'; readonly exitCode: number }
  | { readonly type: 'template-saved'; readonly pages: number; readonly tookMs: number }
  /** The guest goes on without having left one. */
  | { readonly type: 'template-failed'; readonly message: string }
  /** Nothing was cloned: the template is damaged, or of another machine. */
  | { readonly type: 'template-refused'; readonly message: string }
  | { readonly type: 'failed'; readonly message: string }
  | { readonly type: 'ended' };
