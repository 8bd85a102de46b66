/**
 * What may enter a machine: a closed list (architecture: Inputs). An input is applied between two slices and takes
 * effect before the next instruction; stamped with (steps, sequence) it makes a run repeatable.
 */
export type MachineInput =
  /** Guest time now, in ticks of 10 MHz, and how fast it passes: 2^-32 ticks a step. */
  | { readonly type: 'time'; readonly guestTicks: bigint; readonly ratePerStep: number }
  | { readonly type: 'console'; readonly bytes: Uint8Array }
  | { readonly type: 'frame'; readonly nic: number; readonly frame: Uint8Array }
  | { readonly type: 'link'; readonly nic: number; readonly isUp: boolean }
  /** Asks the guest's driver to announce its addresses. */
  | { readonly type: 'announce'; readonly nic: number }
  /** Who the guest is: bytes for its identity port. */
  | { readonly type: 'identity'; readonly bytes: Uint8Array }
  /** Asks the guest to give up so many pages of 4 KiB in all. */
  | { readonly type: 'balloon'; readonly targetPages: number }
  | { readonly type: 'power'; readonly action: 'off' };

/** What a device model of each kind takes in. */
export interface ConsoleInput {
  receive(bytes: Uint8Array): void;
}

export interface IdentityInput {
  receive(bytes: Uint8Array): void;
  /** The guest waits for its identity. */
  readonly isAwaited: boolean;
}

export interface ClockInput {
  /** Sets the clock, in ns since 1970, without telling the guest. */
  setWallClock(timeNs: bigint): void;
}

/** What a disk holds is an input too, at the start of a run: from there on it follows from the run. */
export interface DiskInput {
  /** SHA-256, hexadecimal. */
  contentDigest(): string;
  /** Requests that the host failed to do so far, which no run can repeat. */
  readonly hostErrors: number;
}

export interface BalloonInput {
  setTarget(pages: number): void;
  /** Pages that the guest says it has given up. */
  readonly actualPages: number;
}

export interface NicInput {
  receive(frame: Uint8Array): void;
  setLink(isUp: boolean): void;
  requestAnnounce(): void;
}
