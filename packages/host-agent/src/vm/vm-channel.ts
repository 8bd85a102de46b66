/**
 * What is said to a VM worker and by it. The worker never returns to its event loop while its VM lives: it reads
 * its ports when the attention word was poked. Whoever posts to it pokes afterwards.
 */
import type { MessagePort } from 'node:worker_threads';
import type { CoreModules, MachineInput } from '@skein/machine';
import type { FrameRingHandle } from '@skein/network';
import type { DoneAhead } from '@skein/shared';
import type { GuestClock } from '../core/guest-clock.ts';
import type { TemplatePlace } from '../template/template-store.ts';

/** To a spare worker: practise what was not practised yet, in steps, until there is an assignment. */
export interface VmRehearsal {
  readonly type: 'rehearse';
  readonly core: CoreModules;
  /** To be touched, for the machine that this worker will run. */
  readonly memory: WebAssembly.Memory | null;
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
  /** Target: take over this CPU and device state, say what it hashes to; nothing is run before all is verified. */
  | { readonly type: 'prepare'; readonly state: Uint8Array }
  /** Target: these pages come next, a bit each, and their memory is to be had from the host meanwhile. No reply. */
  | { readonly type: 'allocate-ahead'; readonly firstPage: number; readonly pages: Uint32Array }
  /** Target: what is here of the code that the guest uses is to be decoded, while there is nothing else to do. Null: as told before. */
  | { readonly type: 'decode-ahead'; readonly usedCode: Uint8Array | null }
  /** Target: everything is verified and the lease on its way; run a little, with all output withheld. No reply. */
  | { readonly type: 'head-start'; readonly clock: GuestClock }
  /** Target: the lease is ours, run. */
  | { readonly type: 'activate'; readonly clock: GuestClock };

/** What the target may do before its guest comes. */
export type HintCommand = Extract<TransferCommand, { readonly type: 'decode-ahead' | 'allocate-ahead' }>;

/** Every one but what has no reply. */
export type AnsweredCommand = Exclude<TransferCommand, { readonly type: 'allocate-ahead' | 'head-start' }>;

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
  /** To the end, or until the vCPU had better things to do. */
  | { readonly type: 'decoded-ahead' }
  | { readonly type: 'activated'; readonly atNs: bigint; readonly ahead: DoneAhead }
  | { readonly type: 'failed'; readonly message: string };

/** What a VM worker says to the transfer worker unasked: */
export type TransferCall = PageCall | CodeCall;

/** at the target of what arrives later, */
export type PageCall =
  /** The guest waits for this page. */
  | { readonly type: 'page-wanted'; readonly page: number }
  | { readonly type: 'page-awaited'; readonly waitMs: number };

/** at the source, once, a while after the first harvest of a migration: the code that the guest has used since. */
export interface CodeCall {
  readonly type: 'code-used';
  readonly usedCode: Uint8Array;
}

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
