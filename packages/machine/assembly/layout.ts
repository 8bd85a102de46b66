/**
 * Where everything stands in the machine's linear memory. One shared WebAssembly.Memory per VM, order as in
 * architecture.md (Memory). Addresses are offsets in linear memory, not guest addresses. The entry exports
 * each of them as a global, so TypeScript never repeats a number.
 */

/** Integer registers x0..x31, 8 bytes each, and slot 32: where writes to x0 go. */
export const XREG: u32 = 0x1000;
/** Floating-point registers f0..f31, 8 bytes each. */
export const FREG: u32 = 0x1200;
/** fcsr: frm in bits 7:5, fflags in bits 4:0 (u32). */
export const FCSR: u32 = 0x1300;

// Hart 0; 8 bytes each. Room for the state of further harts is at HART_STRIDE.
export const HART_STRIDE: u32 = 0x0800;
export const PC: u32 = 0x1400;
/** 0 U, 1 S, 3 M. */
export const PRIVILEGE: u32 = 0x1408;
/** The machine's clock: instructions retired plus traps and interrupts taken. */
export const STEPS: u32 = 0x1410;
/** minstret = STEPS - this, modulo 2^64; its value while it is inhibited. */
export const RETIRED_OFFSET: u32 = 0x1418;
/** mcycle = STEPS - this, modulo 2^64; its value while it is inhibited. */
export const CYCLE_OFFSET: u32 = 0x1420;
/** 1 while the hart waits in WFI. */
export const WAITING: u32 = 0x1428;
/** Virtual address of the last LR, all ones for none; and the value it read. */
export const RESERVATION_ADDRESS: u32 = 0x1430;
export const RESERVATION_VALUE: u32 = 0x1438;
/** The page that instructions come from: virtual page (all ones: none) and the physical page behind it. */
export const FETCH_VIRTUAL: u32 = 0x1440;
export const FETCH_PHYSICAL: u32 = 0x1448;
/** time = TIME_BASE + ((STEPS - TIME_STEPS) * TIME_RATE >> 32). */
export const TIME_BASE: u32 = 0x1450;
export const TIME_STEPS: u32 = 0x1458;
export const TIME_RATE: u32 = 0x1460;
/** 1 if environment calls from S mode are answered here, not by firmware. */
export const SBI_ENABLED: u32 = 0x1468;
/** Number of architectural TLB entries in use; their indices stand in TLB_USED. */
export const TLB_USED_COUNT: u32 = 0x1470;

export const MSTATUS: u32 = 0x1480;
export const MEDELEG: u32 = 0x1488;
export const MIDELEG: u32 = 0x1490;
export const MIE: u32 = 0x1498;
/** The bits of mip that software sets; lines and timers are added when it is read. */
export const MIP: u32 = 0x14a0;
export const MTVEC: u32 = 0x14a8;
export const MCOUNTEREN: u32 = 0x14b0;
export const MSCRATCH: u32 = 0x14b8;
export const MEPC: u32 = 0x14c0;
export const MCAUSE: u32 = 0x14c8;
export const MTVAL: u32 = 0x14d0;
export const MENVCFG: u32 = 0x14d8;
export const STVEC: u32 = 0x14e0;
export const SCOUNTEREN: u32 = 0x14e8;
export const SSCRATCH: u32 = 0x14f0;
export const SEPC: u32 = 0x14f8;
export const SCAUSE: u32 = 0x1500;
export const STVAL: u32 = 0x1508;
export const SATP: u32 = 0x1510;
export const STIMECMP: u32 = 0x1518;
export const SENVCFG: u32 = 0x1520;
export const MCOUNTINHIBIT: u32 = 0x1528;
/** pmpcfg0 and pmpcfg2. */
export const PMPCFG: u32 = 0x1530;
/** pmpaddr0..15. */
export const PMPADDR: u32 = 0x1540;

// CLINT.
export const CLINT_MSIP: u32 = 0x2000;
export const CLINT_MTIMECMP: u32 = 0x2008;

// PLIC: 96 sources as on QEMU's virt board, contexts M and S of hart 0.
export const PLIC_SOURCES: u32 = 96;
export const PLIC_CONTEXTS: u32 = 2;
export const PLIC_PRIORITY: u32 = 0x2100;
export const PLIC_PENDING: u32 = 0x2300;
export const PLIC_CLAIMED: u32 = 0x2310;
export const PLIC_LEVEL: u32 = 0x2320;
export const PLIC_ENABLE: u32 = 0x2330;
export const PLIC_ENABLE_STRIDE: u32 = 0x10;
export const PLIC_THRESHOLD: u32 = 0x2350;
/** Derived: the mip bits MEIP and SEIP that the PLIC drives (u64). */
export const PLIC_OUTPUT: u32 = 0x2360;

// Commands and answers between the run loop and its host; never machine state.
/** Other threads set a bit and notify; run polls it every 16,384 steps. */
export const ATTENTION: u32 = 0x3000;
/** Steps of the last run (u32). */
export const RUN_STEPS: u32 = 0x3008;
/** A device sets this to 1 to fault the access that is being made (u32). */
export const DEVICE_FAULT: u32 = 0x300c;
/** Guest RAM in pages (u32). */
export const RAM_PAGES: u32 = 0x3010;
/** Guest time at which a device wants to be processed, all ones for never: derived from the devices' state. */
export const DEVICE_ALARM: u32 = 0x3018;
/** Pages of RAM that are not there yet (u32): while it is 0, PRESENT is not looked at. */
export const PAGES_MISSING: u32 = 0x3020;
/** Counts pages that arrived (i32): who waits for one waits for it to change. */
export const PAGE_ARRIVALS: u32 = 0x3024;
/** An instruction that crosses a page is decoded here, each time: three entries. */
export const SCRATCH: u32 = 0x3100;

/** Architectural TLB: {virtual page | 1, pte with the leaf's level in bits 55:54}; 0 is empty. */
export const TLB: u32 = 0x10000;
export const TLB_ENTRIES: u32 = 1024;
/** Indices of the entries in use, u32 each, in order of first use. */
export const TLB_USED: u32 = 0x18000;
/** A bit a slot, while entries that were saved are checked; and these entries, in the order of their first use. Never machine state. */
export const TLB_SEEN: u32 = 0x1a000;
export const TLB_SAVED: u32 = 0x1c000;

/** Fast entries: per mmu index three tables (fetch, load, store) of {tag u64, addend or entry base u32}. */
export const FAST: u32 = 0x20000;
export const FAST_STRIDE: u32 = 0xc000;
export const FAST_LOAD: u32 = 0x4000;
export const FAST_STORE: u32 = 0x8000;
/** Mmu indices: U, S, S with SUM, untranslated below M mode, M mode, and one that is never filled (MPRV, MXR). */
export const FAST_INDICES: u32 = 6;

/** One bit a page of the largest RAM (3 GiB). */
export const BITMAP_BYTES: u32 = 0x18000;
export const TOUCHED: u32 = 0x100000;
export const PRESENT: u32 = 0x118000;
export const EPOCH: u32 = 0x130000;
/** One dirty accumulator per consumer. */
export const DIRTY: u32 = 0x148000;
export const DIRTY_CONSUMERS: u32 = 4;
/** Pages that the guest said it does not need, and has not written since. They hold zeros. */
export const FREE: u32 = 0x1a8000;
/** Pages that others than the machine have written: of those that bring its RAM, before it runs. */
export const REWRITTEN: u32 = 0x1c0000;

/** Decode pool slot + 1 of each RAM page, u16; 0 for none. */
export const CODE_SLOT: u32 = 0x200000;
/** For each slot: RAM page + 1 (0: free), and stores into it since it was last entered. */
export const CODE_PAGE: u32 = 0x380000;
export const CODE_STORES: u32 = 0x382000;
/** For each slot how often it was looked up since watchCode, up to 255 (u8). */
export const CODE_LOOKUPS: u32 = 0x383000;
/** Where it is said which entries are in use (code-ahead.ts): of each slot at most one record. */
export const USED_CODE: u32 = 0x384000;
/** RAM page (u32), its lookups (u32), and a bit an entry. */
export const USED_CODE_BYTES: u32 = 264;
/** Reserved: page hashes, 8 bytes a page. */
export const PAGE_HASH: u32 = 0x400000;
export const CODE_POOL: u32 = 0xa00000;
export const CODE_POOL_BYTES: u32 = 0x800000;
/** 2,048 entries of 8 bytes, and the sentinel that ends a page. */
export const CODE_STRIDE: u32 = 16400;
export const CODE_SLOTS: u32 = 511;

export const RAM: u32 = 0x1200000;
export const RAM_MIB_MIN: u32 = 64;
export const RAM_MIB_MAX: u32 = 3072;
/** Guest physical address of the first byte of RAM. */
export const RAM_BASE: u64 = 0x80000000;

export const PAGE_BYTES: u32 = 4096;
export const PAGE_MASK: u64 = 0xfffffffffffff000;
export const NONE: u64 = 0xffffffffffffffff;
