/**
 * Copies of pages as they were sent last, for those that got dirty again: what a delta is told against. Bounded; the
 * oldest goes first. Source: Svärd et al. 2011, "Evaluation of delta compression techniques"; QEMU's XBZRLE cache.
 */
import { PAGE_BYTES } from './batch-layout';

/** Of each page the slot of its copy, and of each slot the page whose copy it has; one more, so that 0 is none. */
let slotOf: usize = 0;
let pageOf: usize = 0;
let copies: usize = 0;
let slots: u32 = 0;
let hand: u32 = 0;

/** Tables of 4 bytes a page and 4 bytes a slot, all zero, and the copies, a page each slot. */
export function setCopies(slotOfAt: usize, pageOfAt: usize, copiesAt: usize, count: u32): void {
  slotOf = slotOfAt;
  pageOf = pageOfAt;
  copies = copiesAt;
  slots = count;
}

/** Where the page's copy is; 0 if there is none. */
export function copyOf(page: u32): usize {
  const slot = load<u32>(slotOf + ((page as usize) << 2));
  return slot === 0 ? 0 : copyAt(slot - 1);
}

/** Keeps what stands at `pointer` as the page's copy; some other page's copy may go for it. */
export function keepCopy(page: u32, pointer: usize): void {
  if (slots === 0) return;
  const known = copyOf(page);
  memory.copy(known !== 0 ? known : takeSlot(page), pointer, PAGE_BYTES);
}

/** The other side has something else than the copy now. */
export function dropCopy(page: u32): void {
  const at = slotOf + ((page as usize) << 2);
  const slot = load<u32>(at);
  if (slot === 0) return;
  store<u32>(at, 0);
  store<u32>(pageOf + (((slot - 1) as usize) << 2), 0);
}

function takeSlot(page: u32): usize {
  const slot = hand;
  hand = slot + 1 === slots ? 0 : slot + 1;
  const at = pageOf + ((slot as usize) << 2);
  const victim = load<u32>(at);
  if (victim !== 0) store<u32>(slotOf + (((victim - 1) as usize) << 2), 0);
  store<u32>(at, page + 1);
  store<u32>(slotOf + ((page as usize) << 2), slot + 1);
  return copyAt(slot);
}

function copyAt(slot: u32): usize {
  return copies + ((slot as usize) << 12);
}
