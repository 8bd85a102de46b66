/** One QEMU process of the bench: console on pipes, QMP on a Unix socket, gone with the bench whatever ends it. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { join } from 'node:path';
import { qemuBoardArguments, qemuProgram } from '../../support/qemu.ts';
import { ownChild } from '../children.ts';
import { cpuSeconds } from '../cpu-time.ts';
import { QmpClient } from './qmp.ts';

export interface QemuMachineOptions {
  /** For its QMP socket; a path to a socket has 107 bytes at most. */
  readonly folder: string;
  readonly name: string;
  readonly args: readonly string[];
  /** Each piece of console as it arrives. */
  readonly hear: (text: string) => void;
}

const errorCharactersMax = 4096;

export class QemuMachine {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #ended: Promise<void>;
  #qmp: QmpClient | null = null;
  #errors = '';

  private constructor({ folder, name, args, hear }: QemuMachineOptions) {
    const socket = join(folder, name);
    const words = [...qemuBoardArguments, '-qmp', `unix:${socket},server=on,wait=off`, ...args];
    // The kernel ends it with its parent: a bench that is killed has no chance to (prctl(2), PR_SET_PDEATHSIG).
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', qemuProgram, ...words], { stdio: 'pipe' });
    ownChild(this.#child);
    this.#child.stdout.setEncoding('latin1').on('data', hear);
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-errorCharactersMax);
    });
    this.#child.stdin.on('error', () => {}); // What is waited for then tells that it is gone.
    this.#ended = new Promise((resolve) => {
      this.#child.once('close', () => resolve());
      this.#child.once('error', (cause) => {
        this.#errors += cause.message;
        resolve();
      });
    });
  }

  static async start(options: QemuMachineOptions): Promise<QemuMachine> {
    const machine = new QemuMachine(options);
    try {
      const died = machine.#ended.then(() => {
        throw new Error(`QEMU ended: ${machine.#errors.trim()}`);
      });
      machine.#qmp = await Promise.race([QmpClient.open(join(options.folder, options.name)), died]);
      return machine;
    } catch (error) {
      await machine.kill();
      throw error;
    }
  }

  get qmp(): QmpClient {
    if (this.#qmp === null) throw new Error('QEMU has no QMP connection yet');
    return this.#qmp;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** User and system time so far. */
  cpuSeconds(): number {
    return cpuSeconds(this.pid);
  }

  type(text: string): void {
    this.#child.stdin.write(text, 'latin1');
  }

  /** Ends it and waits until it is gone. */
  async kill(): Promise<void> {
    this.#qmp?.close();
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}
