/**
 * The SBI extension by which Linux' perf finds and drives counters: the two that there are, cycles and instructions
 * retired. Nothing overflows into an interrupt, so perf counts and does not sample.
 * Source: RISC-V SBI Specification 2.0, "Performance Monitoring Unit Extension". Omitted: firmware counters, cache and raw
 * events, the snapshot memory; the calls for them answer as the specification says for what is not there.
 */
import { COUNTER_CYCLE, COUNTER_RETIRED, isInhibited, setCounter, setInhibited } from './counters';
import { MCOUNTINHIBIT } from './layout';

export const EXTENSION_PMU: u64 = 0x504d55;

/** Of the counters by SBI's numbers, which are the places in this list: cycle, instret. */
const COUNTERS: u64 = 2;
const CSR_CYCLE: u64 = 0xc00;
/** Width of the CSR less one, where counter_get_info puts it. */
const WIDTH_64: u64 = 63 << 12;
/** Hardware events, by their index: type 0 and the code. */
const EVENT_CYCLES: u64 = 1;
const EVENT_INSTRUCTIONS: u64 = 2;

const MATCH_SKIP: u64 = 1;
const MATCH_CLEAR: u64 = 2;
const MATCH_START: u64 = 4;
const START_SET_VALUE: u64 = 1;

const SUCCESS: i64 = 0;
const NOT_SUPPORTED: i64 = -2;
const INVALID_PARAMETER: i64 = -3;
const ALREADY_STARTED: i64 = -7;
const ALREADY_STOPPED: i64 = -8;

/** The second word of the last answer. */
export let pmuValue: u64 = 0;

/** Returns the error; `a0` to `a3` are the arguments of the call. */
export function callPmu(call: u64, a0: u64, a1: u64, a2: u64, a3: u64): i64 {
  pmuValue = 0;
  switch (call as u32) {
    case 0:
      pmuValue = COUNTERS;
      return SUCCESS;
    case 1:
      if (a0 >= COUNTERS) return INVALID_PARAMETER;
      pmuValue = WIDTH_64 | (CSR_CYCLE + (csrNumber(a0 as u32) as u64));
      return SUCCESS;
    case 2:
      return configure(a0, a1, a2, a3);
    case 3:
      return forEach(a0, a1, true, a2, a3);
    case 4:
      return forEach(a0, a1, false, 0, 0);
    case 5:
    case 6:
      return INVALID_PARAMETER;
    default:
      return NOT_SUPPORTED;
  }
}

/** cycle and instret have time between them. */
function csrNumber(counter: u32): u32 {
  return counter === 0 ? COUNTER_CYCLE : COUNTER_RETIRED;
}

/** True if a set of counters names none that is not there, and one that is. */
function areCounters(base: u64, mask: u64): bool {
  if (base >= COUNTERS || mask === 0) return false;
  return mask >> (COUNTERS - base) === 0;
}

function isNamed(counter: u64, base: u64, mask: u64): bool {
  return counter >= base && ((mask >> (counter - base)) & 1) !== 0;
}

/** Finds a counter of the set for the event: each has its own. */
function configure(base: u64, mask: u64, flags: u64, event: u64): i64 {
  if (!areCounters(base, mask)) return INVALID_PARAMETER;
  let counter = event === EVENT_CYCLES ? 0 : (1 as u64);
  if ((flags & MATCH_SKIP) !== 0) counter = base + ctz<u64>(mask);
  else if ((event !== EVENT_CYCLES && event !== EVENT_INSTRUCTIONS) || !isNamed(counter, base, mask))
    return NOT_SUPPORTED;
  const csr = csrNumber(counter as u32);
  if ((flags & MATCH_CLEAR) !== 0) setCounter(csr, 0);
  if ((flags & MATCH_START) !== 0) setRunning(csr, true);
  pmuValue = counter;
  return SUCCESS;
}

/** Starts or stops the counters of the set; the error if one of them was so already, the others are done all the same. */
function forEach(base: u64, mask: u64, isStart: bool, flags: u64, initial: u64): i64 {
  if (!areCounters(base, mask)) return INVALID_PARAMETER;
  let error = SUCCESS;
  for (let counter = base; counter < COUNTERS; counter++) {
    if (!isNamed(counter, base, mask)) continue;
    const csr = csrNumber(counter as u32);
    if (isInhibited(csr) !== isStart) {
      error = isStart ? ALREADY_STARTED : ALREADY_STOPPED;
      continue;
    }
    if (isStart && (flags & START_SET_VALUE) !== 0) setCounter(csr, initial);
    setRunning(csr, isStart);
  }
  return error;
}

function setRunning(csr: u32, isRunning: bool): void {
  const bit = (1 as u64) << (csr as u64);
  const inhibited = load<u64>(MCOUNTINHIBIT);
  setInhibited(isRunning ? inhibited & ~bit : inhibited | bit);
}
