/**
 * The rounding modes as encoded in an instruction's rm field and in frm. Operations expect one of these five;
 * the dynamic mode and the reserved encodings are resolved or refused where instructions are decoded.
 * Source: RISC-V Unprivileged ISA 20240411, "F" extension, "Floating-Point Control and Status Register".
 */

/** To nearest, ties to even. */
export const RNE: u32 = 0;
/** Towards zero. */
export const RTZ: u32 = 1;
/** Down, towards minus infinity. */
export const RDN: u32 = 2;
/** Up, towards plus infinity. */
export const RUP: u32 = 3;
/** To nearest, ties to the larger magnitude. */
export const RMM: u32 = 4;
/** In an instruction's rm field: take the mode from frm. */
export const DYNAMIC: u32 = 7;
