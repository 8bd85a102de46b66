/**
 * Where everything stands in the machine's linear memory. One shared WebAssembly.Memory per VM, order as in
 * architecture.md (Memory). Addresses are offsets in linear memory, not guest addresses.
 */

/** Integer registers x0..x31, 8 bytes each, and slot 32: where writes to x0 go. */
export const XREG: u32 = 0x1000;
/** Floating-point registers f0..f31, 8 bytes each. */
export const FREG: u32 = 0x1200;
/** fcsr: frm in bits 7:5, fflags in bits 4:0 (u32). */
export const FCSR: u32 = 0x1300;
