/**
 * Where a disk's content is kept. Calls are synchronous: the device works between two instructions on the vCPU's thread,
 * so a request is complete at the step that asked for it, the guest stands still until the host has answered, and no
 * completion has to be an input. The price is that a slow host disk delays the guest, and whoever wants to pause it.
 *
 * A machine's disk must be its own while it runs: then what it reads is a function of the content at the start and of
 * the run, and a replay needs nothing but that content (input-log.ts compares its digest).
 */

export const SECTOR_BYTES = 512;

export interface BlockBackend {
  /** A multiple of SECTOR_BYTES that does not change. */
  readonly capacityBytes: number;
  readonly isReadOnly: boolean;
  /** Fills `target` from `offset` on. Offsets and lengths lie within the capacity. Throws if the host can't. */
  read(offset: number, target: Uint8Array): void;
  /** Throws if the host can't; what the range holds is then unknown. */
  write(offset: number, bytes: Uint8Array): void;
  /** From now on the range reads as zeros. Throws as `write`. */
  zero(offset: number, lengthBytes: number): void;
  /** Everything written so far outlives a crash of the host. Throws if that is not sure. */
  flush(): void;
}
