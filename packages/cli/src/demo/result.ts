/** What the demo found out: the object that `--json` prints on its last line. Times in ms since the demo's start. */
import type { MigrationMode, MigrationRecord } from '@skein/shared';

export interface GuestResult {
  readonly name: string;
  /** The version in the kernel's banner. */
  readonly kernel: string;
  readonly host: string;
  /** From power-on to the guest's own `ready` line. */
  readonly bootMs: number;
}

export interface PingResult {
  readonly sent: number;
  readonly received: number;
}

export interface MigrationResult {
  readonly from: string;
  readonly to: string;
  readonly mode: MigrationMode;
  readonly phases: MigrationRecord['phases'];
  readonly rounds: number;
  readonly pages: number;
  readonly zeroPages: number;
  readonly bytes: number;
  readonly totalMs: number;
  readonly downtimeMs: number;
  /** The longest time between two echo replies, on the pinging guest's clock. */
  readonly pingGapMs: number;
  readonly lostPings: number;
  readonly stateHashSource: string;
  readonly stateHashTarget: string;
  readonly stateHashSourceFull: string;
}

/** What the migrated guest itself noticed. */
export interface CountingResult {
  readonly counterBefore: number;
  readonly counterAfter: number;
  /** The longest time between two ticks, on the migrated guest's clock. */
  readonly tickGapMs: number;
}

export interface FailoverResult {
  readonly from: string;
  readonly to: string;
  readonly killedAtMs: number;
  readonly declaredFailedMs: number;
  /** Its first instruction on the other host. */
  readonly restartedMs: number;
  /** Its first answer to a ping. */
  readonly answeredMs: number;
}

export interface DemoResult {
  readonly hosts: readonly { readonly name: string; readonly pid: number }[];
  readonly guests: readonly GuestResult[];
  readonly ping: PingResult;
  readonly migration: MigrationResult;
  readonly guest: CountingResult;
  readonly failover: FailoverResult;
}
