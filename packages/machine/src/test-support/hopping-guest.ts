/**
 * Test tool: a guest whose two pages of code jump to each other for ever, in S mode under Sv39. Between the jumps the
 * second page loads from a page whose TLB slot is that of the first page, so that coming back needs a walk.
 */
import { type CoreModules, createMachineMemory } from '../core-module.ts';
import { createDevices } from '../devices/create-devices.ts';
import { Machine } from '../machine.ts';
import * as encode from './encode.ts';

const ramBase = 0x8000_0000;
const memoryMib = 64;
const pageBytes = 4096;
const tlbEntries = 1024;
const rootTable = 0x1000;
const firstPage = 0x4000;
const secondPage = 0x5000;
const rivalPage = firstPage + tlbEntries * pageBytes;
const rival = 8;

/** Steps from one arrival at the first page to the next. */
export const hopSteps = 3;

/** A machine that is about to execute the first page's only instruction. */
export function createHoppingGuest(core: CoreModules): Machine {
  const machine = new Machine({
    core,
    memory: createMachineMemory(core, memoryMib),
    memoryMib,
    devices: createDevices({ nics: [] }),
    emit: () => {},
  });
  const setUp = enterSupervisorCode();
  write(machine, 0, setUp);
  write(machine, firstPage, [encode.jal(0, secondPage - firstPage)]);
  write(machine, secondPage, [encode.load(3, 5, rival, 0), encode.jal(0, firstPage - secondPage - 4)]);
  // All of RAM in one gigapage, where it is: readable, writable, executable, accessed, dirty.
  machine.guestMemory.write32(ramBase + rootTable + 2 * 8, ((ramBase >>> 12) << 10) | 0xcf);
  machine.startFirmware();
  machine.run(setUp.length);
  return machine;
}

function write(machine: Machine, offset: number, words: readonly number[]): void {
  machine.guestMemory.write(ramBase + offset, new Uint8Array(Uint32Array.from(words).buffer));
}

/** M mode: satp, the rival page's address, mepc, then mret into S mode. */
function enterSupervisorCode(): number[] {
  const { addi, csr, lui, register, slli } = encode;
  return [
    ...encode.permitAll(),
    // x7 = the start of RAM, which lui alone would sign-extend.
    addi(7, 0, 1),
    slli(7, 7, 31),
    // satp: mode Sv39 in bits 63:60, the root table's page.
    addi(5, 0, 8),
    slli(5, 5, 60),
    ...constant(6, (ramBase + rootTable) / pageBytes),
    register(0, 0, 5, 5, 6),
    csr(1, 0, 0x180, 5),
    ...constant(rival, rivalPage),
    register(0, 0, rival, rival, 7),
    ...constant(5, firstPage),
    register(0, 0, 5, 5, 7),
    csr(1, 0, 0x341, 5),
    // mstatus.MPP = S.
    ...constant(5, 0x800),
    csr(1, 0, 0x300, 5),
    encode.mret,
  ].flat();

  function constant(rd: number, value: number): number[] {
    const low = (value << 20) >> 20;
    return [lui(rd, ((value - low) >>> 12) & 0xfffff), addi(rd, rd, low)];
  }
}
