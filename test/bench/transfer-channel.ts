/** What the transfer bench, its two peer processes and their worker threads say to each other. */
import type { CoreModules } from '@skein/machine';

/**
 * pages: as a migration moves them. pages-plain: the same in a cluster without certificates and encryption. raw-tcp: the
 * same number of bytes in 64 KiB writes, thrown away on arrival.
 */
export type TransferKind = 'pages' | 'pages-plain' | 'raw-tcp';
export type PeerRole = 'source' | 'target';

export type PeerCommand =
  /** Target: waits for the source's heartbeats. Answer: `listening`. */
  | { readonly type: 'serve-heartbeats' }
  /** Source. Answer: `ready`. */
  | { readonly type: 'dial-heartbeats'; readonly port: number }
  /** Source: fills a machine's RAM with random bytes. Answer: `ready`. */
  | { readonly type: 'fill-memory'; readonly memoryMib: number }
  /** Source: starts a worker that waits for the target's. Answer: `listening`. */
  | { readonly type: 'serve-transfer'; readonly kind: TransferKind; readonly memoryMib: number }
  /** Target: starts a worker that dials the source's. Answer: `ready`. */
  | {
      readonly type: 'dial-transfer';
      readonly kind: TransferKind;
      readonly memoryMib: number;
      readonly port: number;
    }
  /** Source: sends everything. Answer: `sent`. */
  | { readonly type: 'send' }
  /** Target: what has come? Answer: `received`; the worker ends. */
  | { readonly type: 'conclude' };

export type PeerReply =
  | { readonly type: 'ready' }
  | { readonly type: 'listening'; readonly port: number }
  | SentReply
  | { readonly type: 'received'; readonly memoryHash: string; readonly cpuSeconds: number };

export interface SentReply {
  readonly type: 'sent';
  /** From the first write to the news that the last byte was applied. */
  readonly durationMs: number;
  /** Counted by the socket. */
  readonly wireBytes: number;
  /** Sum of page hashes; of what is not pages, nothing. */
  readonly memoryHash: string;
  /** Of the whole process, user and system: collecting garbage has threads of its own. */
  readonly cpuSeconds: number;
  /** Answer times of the heartbeats meanwhile. */
  readonly heartbeatsMs: readonly number[];
}

export interface TransferAssignment {
  readonly role: PeerRole;
  readonly kind: TransferKind;
  readonly core: CoreModules;
  readonly memoryMib: number;
  /** The source's RAM; a target has a fresh one. */
  readonly memory: WebAssembly.Memory | null;
  /** Holds the credentials of either role, in a folder of its name. */
  readonly credentialsFolder: string;
  /** Where the source listens; 0 for the source itself. */
  readonly port: number;
}

export type WorkerReply = Exclude<PeerReply, SentReply> | Omit<SentReply, 'heartbeatsMs'>;

/** CPU time of this process since an earlier reading. */
export function cpuSecondsSince(earlier: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(earlier);
  return (user + system) / 1e6;
}

export const loopback = '127.0.0.1';
