/**
 * The board's power switch: a word written here turns the machine off, restarts it or ends it with an exit code.
 * Source: QEMU 7.2, hw/misc/sifive_test.c; devicetree binding "sifive,test0" with syscon-poweroff and syscon-reboot.
 */
import type { Device, DeviceEnvironment, DeviceState } from '../device.ts';
import { SIFIVE_TEST } from '../memory-map.ts';
import { StateReader } from '../state-reader.ts';

export const FINISH_FAIL = 0x3333;
export const FINISH_PASS = 0x5555;
export const FINISH_RESET = 0x7777;

const STATE_VERSION = 1;

export class SifiveTest implements Device {
  readonly name = 'sifive-test';
  readonly baseAddress = SIFIVE_TEST.baseAddress;
  readonly sizeBytes = SIFIVE_TEST.sizeBytes;
  readonly interruptSource = 0;

  readonly #environment: DeviceEnvironment;

  constructor(environment: DeviceEnvironment) {
    this.#environment = environment;
  }

  read(_offset: number, size: number): number | undefined {
    return size === 1 ? undefined : 0;
  }

  /** The slice ends at the instruction that wrote, so that nothing runs in a machine that was turned off. */
  write(offset: number, size: number, value: number): boolean {
    if (size === 1) return false;
    if (offset !== 0) return true;
    const command = value & 0xffff;
    if (command === FINISH_PASS) this.#end('off', 0);
    else if (command === FINISH_RESET) this.#end('reboot', 0);
    else if (command === FINISH_FAIL) this.#end('fail', value >>> 16);
    return true;
  }

  process(): void {}

  reset(): void {}

  save(): DeviceState {
    return { version: STATE_VERSION, fields: {} };
  }

  restore(state: DeviceState): void {
    StateReader.open(this.name, state, STATE_VERSION).finish();
  }

  #end(action: 'off' | 'reboot' | 'fail', exitCode: number): void {
    this.#environment.emit({ type: 'power', action, exitCode });
    this.#environment.requestProcessing();
  }
}
