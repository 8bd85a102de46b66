/**
 * Test entry: executes one floating-point instruction on the registers in memory, without the rest of the core.
 * No program of the project loads it.
 */
export { executeFloat } from '../execute/float';
export { FCSR, FREG, XREG } from '../layout';
