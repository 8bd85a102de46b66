/** The vNIC of a lone machine, on a switch that other machines of the same user share. */
import { randomBytes } from 'node:crypto';
import { fail } from '../failure.ts';
import { LocalSwitch } from '../local-switch/local-switch.ts';
import { remark } from '../terminal/console-terminal.ts';

/** As QEMU and libvirt give them: locally administered, and known to people. */
const macPrefix = '52:54:00';

export class LoneNetwork {
  readonly mac: string;
  readonly #name: string;
  readonly #stateFolder: string;
  #switch: LocalSwitch | null = null;

  /** `mac`: of the machine that goes on; others get one of their own. */
  constructor(name: string, stateFolder: string, mac?: string | null) {
    this.#name = name;
    this.#stateFolder = stateFolder;
    this.mac =
      mac ??
      `${macPrefix}:${randomBytes(3)
        .toString('hex')
        .replace(/(..)(..)/, '$1:$2:')}`;
  }

  /** From now on frames come and go. @throws OperationError machine.failed */
  async join(onFrame: (frame: Uint8Array) => void): Promise<void> {
    const options = { name: this.#name, stateFolder: this.#stateFolder, mac: this.mac };
    try {
      this.#switch = await LocalSwitch.join({ ...options, onFrame, onTrouble: remark });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      fail('machine.failed', `the switch ${this.#name} cannot be reached: ${reason}`, cause);
    }
  }

  send(frame: Uint8Array): void {
    this.#switch?.send(frame);
  }

  close(): void {
    this.#switch?.close();
  }
}
