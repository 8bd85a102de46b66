/**
 * Where a cluster runs, as the one who breaks it sees it: programs to kill and pause, networks to cut and shape. A bed
 * offers the same on containers and on network namespaces; plain processes on loopback have no networks to break.
 */
import type { HostName, NetworkKind } from '@skein/shared';
import type { BedKind } from '../cluster/state-folder.ts';

/** A program of the cluster by name: a host's, `coordinator`, `storage`. */
export type ProgramName = string;

/** Both ends of the cable between a host and a network. */
export interface Cable {
  readonly host: HostName;
  readonly network: NetworkKind;
  readonly address: string;
  /** Interface in the host. */
  readonly inside: string;
  /** Interface on the network's side. */
  readonly outside: string;
}

/** One command of iproute2, iptables or sh, word by word: no word is split or expanded on its way. */
export type NetworkCommand = readonly [program: string, ...args: string[]];

export interface NetworkBed {
  /** Hosts that run, by name. */
  hosts(): Promise<readonly HostName[]>;
  /** Those of the host's networks to which it is connected. @throws OperationError host.not-found */
  cables(host: HostName): Promise<readonly Cable[]>;
  /**
   * One after the other, in the host's own network namespace, until one fails. Answers what they printed.
   * @throws OperationError bed.unavailable
   */
  inHost(host: HostName, commands: readonly NetworkCommand[]): Promise<string>;
  /** The same where the networks' ends of the cables are. */
  inNetworks(commands: readonly NetworkCommand[]): Promise<string>;
}

export interface Bed {
  readonly kind: BedKind | 'containers';
  /** @throws OperationError host.not-found */
  kill(program: ProgramName): Promise<void>;
  pause(program: ProgramName): Promise<void>;
  /** Lets a paused program go on, and starts one that does not run. */
  resume(program: ProgramName): Promise<void>;
  /** @throws OperationError bed.unsupported, with the reason */
  networks(): NetworkBed;
}
