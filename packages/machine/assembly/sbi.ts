/**
 * The supervisor binary interface, built in: what firmware would answer. One ecall is one instruction.
 * Source: RISC-V SBI Specification 2.0: Base, TIME, IPI, RFENCE, HSM, SRST, DBCN, PMU and the legacy extensions.
 * Omitted: SUSP, NACL, STA; base.probe says so.
 */
import { busRead, busValue, busWrite } from './bus';
import { refreshTimers } from './clock';
import { ramAddress, storePrepare } from './dirty';
import { FETCH_VIRTUAL, MIP, NONE, STIMECMP, WAITING, XREG } from './layout';
import { callPmu, EXTENSION_PMU, pmuValue } from './sbi-pmu';
import { tlbFlushAll } from './tlb';

const A0: u32 = XREG + 10 * 8;
const A1: u32 = XREG + 11 * 8;
const A2: u32 = XREG + 12 * 8;
const A3: u32 = XREG + 13 * 8;
const A6: u32 = XREG + 16 * 8;
const A7: u32 = XREG + 17 * 8;

const SUCCESS: i64 = 0;
const FAILED: i64 = -1;
const NOT_SUPPORTED: i64 = -2;
const INVALID_PARAMETER: i64 = -3;
const INVALID_ADDRESS: i64 = -5;
const ALREADY_AVAILABLE: i64 = -6;

const EXTENSION_BASE: u64 = 0x10;
const EXTENSION_TIME: u64 = 0x54494d45;
const EXTENSION_IPI: u64 = 0x735049;
const EXTENSION_RFENCE: u64 = 0x52464e43;
const EXTENSION_HSM: u64 = 0x48534d;
const EXTENSION_RESET: u64 = 0x53525354;
const EXTENSION_CONSOLE: u64 = 0x4442434e;

/** Most bytes that one console write takes; the caller goes on with the rest. */
const CONSOLE_BYTES_MAX: u64 = 256;
const SOFTWARE_INTERRUPT: u64 = 2;
const TEST_DEVICE: u64 = 0x100000;
const UART: u64 = 0x10000000;

export function executeSbi(): void {
  const extension = load<u64>(A7);
  const call = load<u64>(A6);
  if (extension < 9) {
    legacy(extension);
    return;
  }
  if (extension === EXTENSION_BASE) base(call);
  else if (extension === EXTENSION_TIME && call === 0) {
    setTimer(load<u64>(A0));
    answer(SUCCESS, 0);
  } else if (extension === EXTENSION_IPI && call === 0) sendInterrupt();
  else if (extension === EXTENSION_RFENCE && call < 3) {
    if (call !== 0) fence();
    answer(SUCCESS, 0);
  } else if (extension === EXTENSION_HSM) hartState(call);
  else if (extension === EXTENSION_RESET && call === 0) reset();
  else if (extension === EXTENSION_CONSOLE) debugConsole(call);
  else if (extension === EXTENSION_PMU)
    answer(callPmu(call, load<u64>(A0), load<u64>(A1), load<u64>(A2), load<u64>(A3)), pmuValue);
  else answer(NOT_SUPPORTED, 0);
}

function answer(error: i64, value: u64): void {
  store<u64>(A0, error as u64);
  store<u64>(A1, value);
}

function legacy(extension: u64): void {
  switch (extension as u32) {
    case 0:
      setTimer(load<u64>(A0));
      break;
    case 1:
      busWrite(UART, 1, load<u64>(A0) & 0xff);
      break;
    case 2:
      store<u64>(A0, readConsole() as i64 as u64);
      return;
    case 3:
      store<u64>(MIP, load<u64>(MIP) & ~SOFTWARE_INTERRUPT);
      break;
    case 4:
      store<u64>(MIP, load<u64>(MIP) | SOFTWARE_INTERRUPT);
      break;
    case 5:
      break;
    case 8:
      busWrite(TEST_DEVICE, 4, 0x5555);
      break;
    default:
      fence();
  }
  store<u64>(A0, 0);
}

function base(call: u64): void {
  switch (call as u32) {
    case 0:
      answer(SUCCESS, 0x02000000);
      break;
    case 1:
    case 2:
      // Implementation id and version: none of the registered ones.
      answer(SUCCESS, call === 1 ? 0x534b4e : 1);
      break;
    case 3:
      answer(SUCCESS, isImplemented(load<u64>(A0)) ? 1 : 0);
      break;
    case 4:
    case 5:
    case 6:
      answer(SUCCESS, 0);
      break;
    default:
      answer(NOT_SUPPORTED, 0);
  }
}

function isImplemented(extension: u64): bool {
  return (
    extension < 9 ||
    extension === EXTENSION_BASE ||
    extension === EXTENSION_TIME ||
    extension === EXTENSION_IPI ||
    extension === EXTENSION_RFENCE ||
    extension === EXTENSION_HSM ||
    extension === EXTENSION_RESET ||
    extension === EXTENSION_CONSOLE ||
    extension === EXTENSION_PMU
  );
}

/** With Sstc the supervisor's own compare register serves this call too. */
function setTimer(time: u64): void {
  store<u64>(STIMECMP, time);
  refreshTimers();
}

/** True if a hart mask with its base names hart 0, the only one. */
function namesHart0(mask: u64, first: u64): bool {
  return first === NONE || (first === 0 && (mask & 1) !== 0);
}

function sendInterrupt(): void {
  if (!namesHart0(load<u64>(A0), load<u64>(A1))) {
    answer(INVALID_PARAMETER, 0);
    return;
  }
  store<u64>(MIP, load<u64>(MIP) | SOFTWARE_INTERRUPT);
  answer(SUCCESS, 0);
}

function fence(): void {
  tlbFlushAll();
  store<u64>(FETCH_VIRTUAL, NONE);
}

function hartState(call: u64): void {
  const hart = load<u64>(A0);
  if (call === 0) answer(hart === 0 ? ALREADY_AVAILABLE : INVALID_PARAMETER, 0);
  else if (call === 1) answer(FAILED, 0);
  else if (call === 2) answer(hart === 0 ? SUCCESS : INVALID_PARAMETER, 0);
  else if (call === 3 && (hart & 0xffffffff) === 0) {
    // Default retentive suspend behaves as wfi.
    store<u64>(WAITING, 1);
    answer(SUCCESS, 0);
  } else answer(NOT_SUPPORTED, 0);
}

function reset(): void {
  const type = load<u64>(A0) & 0xffffffff;
  if (type > 2) {
    answer(INVALID_PARAMETER, 0);
    return;
  }
  busWrite(TEST_DEVICE, 4, type === 0 ? 0x5555 : 0x7777);
  answer(SUCCESS, 0);
}

function readConsole(): i32 {
  if (!busRead(UART + 5, 1) || (busValue & 1) === 0) return -1;
  return busRead(UART, 1) ? (busValue as i32) : -1;
}

function debugConsole(call: u64): void {
  if (call === 2) {
    busWrite(UART, 1, load<u64>(A0) & 0xff);
    answer(SUCCESS, 0);
    return;
  }
  if (call > 2) {
    answer(NOT_SUPPORTED, 0);
    return;
  }
  const length = min<u64>(load<u64>(A0), CONSOLE_BYTES_MAX) as u32;
  const host = load<u64>(A2) === 0 ? ramAddress(load<u64>(A1), length) : 0;
  if (host === 0) {
    answer(length === 0 ? SUCCESS : INVALID_ADDRESS, 0);
    return;
  }
  let done: u32 = 0;
  if (call === 0) {
    for (; done < length; done++) busWrite(UART, 1, load<u8>(host + done) as u64);
  } else {
    for (; done < length; done++) {
      const byte = readConsole();
      if (byte < 0) break;
      storePrepare(host + done, 1);
      store<u8>(host + done, byte as u8);
    }
  }
  answer(SUCCESS, done as u64);
}
