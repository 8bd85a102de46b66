/**
 * The run loop: interrupts, waiting, fetch translation, and slices of interpretation between them. Whatever way a
 * run is cut into slices, the machine's state is the same function of its steps (architecture: Steps).
 */
import { disturb, takeDisturbance, takeKick } from './bus';
import { isDeviceDue, nextTimer, refreshTimers, setBudgetEnd, setStepsNow, stepsToTimer } from './clock';
import { codeBase, dropAllCode } from './code-cache';
import { ramAddress } from './dirty';
import { interpret } from './generated/interpreter';
import {
  ATTENTION,
  CLINT_MTIMECMP,
  DEVICE_ALARM,
  FETCH_PHYSICAL,
  FETCH_VIRTUAL,
  MCOUNTEREN,
  MEDELEG,
  MENVCFG,
  MIDELEG,
  MIE,
  MSTATUS,
  NONE,
  PAGE_MASK,
  PC,
  PRIVILEGE,
  RAM,
  RAM_BASE,
  RAM_PAGES,
  RESERVATION_ADDRESS,
  RETIRED_OFFSET,
  RUN_STEPS,
  SBI_ENABLED,
  SCOUNTEREN,
  STEPS,
  STIMECMP,
  TIME_BASE,
  TIME_RATE,
  TIME_STEPS,
  TLB,
  TLB_USED,
  WAITING,
  XREG,
} from './layout';
import { fetchLoneInstruction } from './lone-instruction';
import { requirePages } from './missing-pages';
import {
  ACCESS_FETCH,
  faultCause,
  isAccessPermitted,
  mmuIndex,
  NO_ADDRESS,
  peekFetch,
  translate,
} from './mmu';
import { refreshPlic } from './plic';
import { openProtection, refreshProtection } from './pmp';
import { dropFastAll, fillFast } from './tlb';
import { enterTrap, INTERRUPT, NO_INTERRUPT, pendingBits, pendingInterrupt } from './trap';

/** Why a run ended. */
export const REASON_LIMIT: u32 = 0;
export const REASON_IDLE: u32 = 1;
export const REASON_KICK: u32 = 2;
export const REASON_ATTENTION: u32 = 3;

/** The attention word is polled this often. */
const POLL_STEPS: u32 = 16384;

/** Runs at most `limit` steps; RUN_STEPS says how many it were. Returns the reason. */
export function run(limit: u32): u32 {
  let remaining = limit;
  let reason = REASON_LIMIT;
  takeDisturbance();
  while (true) {
    if (takeKick()) {
      reason = REASON_KICK;
      break;
    }
    if (remaining === 0) break;
    if (atomic.load<u32>(ATTENTION) !== 0) {
      reason = REASON_ATTENTION;
      break;
    }
    const steps = load<u64>(STEPS);
    if (isDeviceDue(steps)) {
      reason = REASON_KICK;
      break;
    }
    if (load<u64>(WAITING) !== 0) {
      if ((pendingBits(steps) & load<u64>(MIE)) === 0) {
        reason = REASON_IDLE;
        break;
      }
      store<u64>(WAITING, 0);
    }
    remaining -= advance(steps, remaining);
  }
  settleFetch();
  setStepsNow(load<u64>(STEPS));
  store<u32>(RUN_STEPS, limit - remaining);
  return reason;
}

/** Takes an interrupt or interprets up to the next event; returns the steps that took. */
function advance(steps: u64, remaining: u32): u32 {
  const interrupt = pendingInterrupt(steps);
  let done: u32 = 1;
  if (interrupt !== NO_INTERRUPT) enterTrap(INTERRUPT | (interrupt as u64), 0);
  else {
    const base = resolveFetch();
    if (base !== 0) {
      const budget = stepsToTimer(steps, min<u32>(remaining, POLL_STEPS));
      setBudgetEnd(steps + (budget as u64));
      done = budget - interpret(base, budget);
      takeDisturbance();
    }
  }
  store<u64>(STEPS, steps + (done as u64));
  return done;
}

/**
 * First entry of the page that PC is in, or SCRATCH with one instruction of a page of which not every byte may be
 * executed; 0 after a fetch exception, which has been taken.
 */
function resolveFetch(): u32 {
  const pc = load<u64>(PC);
  if (load<u64>(FETCH_VIRTUAL) === (pc & PAGE_MASK)) {
    const known = load<u64>(FETCH_PHYSICAL) as u32;
    requirePages(known << 12, 4096);
    return codeBase(known);
  }
  const physical = translate(pc, ACCESS_FETCH);
  if (physical === NO_ADDRESS) {
    enterTrap(faultCause as u64, pc);
    return 0;
  }
  if (!isAccessPermitted(physical & PAGE_MASK, 4096, ACCESS_FETCH)) return fetchLoneInstruction(pc);
  const host = ramAddress(physical & PAGE_MASK, 4096);
  if (host === 0) {
    enterTrap(1, pc);
    return 0;
  }
  const page = (host - RAM) >> 12;
  const base = codeBase(page);
  fillFast(mmuIndex(), 0, pc, base);
  store<u64>(FETCH_VIRTUAL, pc & PAGE_MASK);
  store<u64>(FETCH_PHYSICAL, page as u64);
  return base;
}

/** At the end of a run: the fetch page is what going on would find, whichever fast entries exist. */
function settleFetch(): void {
  const pc = load<u64>(PC);
  if (load<u64>(FETCH_VIRTUAL) === (pc & PAGE_MASK)) return;
  const physical = peekFetch(pc);
  const isReached = physical !== NO_ADDRESS && isAccessPermitted(physical & PAGE_MASK, 4096, ACCESS_FETCH);
  const host = isReached ? ramAddress(physical & PAGE_MASK, 4096) : 0;
  store<u64>(FETCH_VIRTUAL, host === 0 ? NONE : pc & PAGE_MASK);
  store<u64>(FETCH_PHYSICAL, host === 0 ? 0 : (((host - RAM) >> 12) as u64));
}

/** Power-on state: M mode at the start of RAM. Steps and guest time go on; RAM is the caller's. */
export function reset(): void {
  const steps = load<u64>(STEPS);
  const base = load<u64>(TIME_BASE);
  const since = load<u64>(TIME_STEPS);
  const rate = load<u64>(TIME_RATE);
  memory.fill(XREG, 0, 0x2000);
  memory.fill(TLB, 0, TLB_USED + 0x1000 - TLB);
  store<u64>(STEPS, steps);
  store<u64>(TIME_BASE, base);
  store<u64>(TIME_STEPS, since);
  store<u64>(TIME_RATE, rate);
  store<u64>(RETIRED_OFFSET, steps);
  store<u64>(PC, RAM_BASE);
  store<u64>(PRIVILEGE, 3);
  store<u64>(RESERVATION_ADDRESS, NONE);
  store<u64>(FETCH_VIRTUAL, NONE);
  store<u64>(CLINT_MTIMECMP, NONE);
  store<u64>(STIMECMP, NONE);
  store<u64>(DEVICE_ALARM, NONE);
  dropAllCode();
  refreshDerived();
}

/** What firmware would leave behind: S mode at `entry`, a0 the hart, a1 the device tree; SBI calls answered here. */
export function enterSupervisor(entry: u64, deviceTree: u64): void {
  store<u64>(SBI_ENABLED, 1);
  store<u64>(PC, entry);
  store<u64>(PRIVILEGE, 1);
  store<u64>(XREG + 10 * 8, 0);
  store<u64>(XREG + 11 * 8, deviceTree);
  // Everything that S mode can handle; there is no firmware that would hand it back.
  store<u64>(MEDELEG, 0xb1ff);
  store<u64>(MIDELEG, 0x222);
  store<u64>(MCOUNTEREN, 0xffffffff);
  // As OpenSBI leaves it (lib/sbi/sbi_hart.c): a kernel without a PMU driver does not set it, and clock_gettime reads the time in U mode.
  store<u64>(SCOUNTEREN, 7);
  store<u64>(MENVCFG, 0x8000000000000001);
  store<u64>(MSTATUS, 0);
  store<u64>(FETCH_VIRTUAL, NONE);
  openProtection();
  refreshDerived();
}

/** Recomputes everything that follows from the state: after a reset or a restore, and by host events. */
export function refreshDerived(): void {
  refreshProtection();
  dropFastAll();
  refreshTimers();
  refreshPlic();
  takeKick();
  setStepsNow(load<u64>(STEPS));
  disturb();
}

/** True if run would execute something now. */
export function isRunnable(): u32 {
  if (isDeviceDue(load<u64>(STEPS))) return 1;
  return load<u64>(WAITING) === 0 || (pendingBits(load<u64>(STEPS)) & load<u64>(MIE)) !== 0 ? 1 : 0;
}

/** Guest time of the next timer interrupt that could end a wait, all ones for none. */
export function nextTimerTime(): u64 {
  return nextTimer(load<u64>(STEPS));
}

/** To be called once for a fresh memory. `pages` of RAM behind the fixed part. */
export function initialise(pages: u32): void {
  store<u32>(RAM_PAGES, pages);
  reset();
}

/** A host event that no guest may notice: all decoded pages and fast entries are forgotten. */
export function dropDecoded(): void {
  dropAllCode();
  refreshDerived();
}
