/** The FS field of mstatus: whether floating-point state exists, and that it was written. */
import { MSTATUS } from '../layout';

const STATUS_FS: u64 = 0x6000;

export function isFloatOff(): bool {
  return (load<u64>(MSTATUS) & STATUS_FS) === 0;
}

export function markFloatDirty(): void {
  store<u64>(MSTATUS, load<u64>(MSTATUS) | STATUS_FS);
}
