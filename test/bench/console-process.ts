/**
 * One emulator as a whole process, ours or another's: its guest's console on pipes, read until a pattern appears,
 * and the user CPU time that the process has used. Source for the latter: proc(5), /proc/pid/stat, "utime".
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { ownChild } from './children.ts';
import { WakeUp } from './wake-up.ts';

/** Ticks of /proc/pid/stat in a second: USER_HZ, the same on every Linux that Node runs on. */
const userTicksPerS = 100;
/** In what follows the program's name, which is in parentheses and may hold anything. */
const userTicksField = 11;
/** A boot prints some ten KiB. */
const consoleCharactersMax = 1 << 20;

export class ConsoleProcess {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #ended: Promise<void>;
  #console = '';
  #errors = '';
  #hasEnded = false;
  readonly #change = new WakeUp();

  constructor(command: string, args: readonly string[]) {
    this.#child = spawn(command, args, { stdio: 'pipe' });
    ownChild(this.#child);
    this.#child.stdout.setEncoding('latin1').on('data', (text: string) => {
      this.#console += text;
      if (this.#console.length > consoleCharactersMax) this.#child.kill('SIGKILL');
      this.#change.wake();
    });
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-4096);
    });
    // Who reads no more has ended: what is waited for then tells why.
    this.#child.stdin.on('error', () => {});
    this.#ended = new Promise((resolve) => {
      const end = (): void => {
        this.#hasEnded = true;
        this.#change.wake();
        resolve();
      };
      this.#child.once('close', end);
      this.#child.once('error', (cause) => {
        this.#errors += cause.message;
        end();
      });
    });
  }

  /** Where the next output will stand: `waitFor` looks behind an offset. */
  get consoleLength(): number {
    return this.#console.length;
  }

  /** User CPU time of all threads so far, in seconds, to a hundredth. */
  userSeconds(): number {
    const stat = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(fields[userTicksField]) / userTicksPerS;
  }

  /** Types a line on the guest's console. */
  type(line: string): void {
    this.#child.stdin.write(`${line}\n`, 'latin1');
  }

  /** Resolves as soon as the console shows the pattern behind the offset. Throws at the deadline and at its end. */
  async waitFor(pattern: RegExp, deadlineMs: number, fromOffset = 0): Promise<RegExpExecArray> {
    const endsAt = performance.now() + deadlineMs;
    for (;;) {
      const match = pattern.exec(this.#console.slice(fromOffset));
      if (match !== null) return match;
      if (this.#hasEnded) throw this.#failure(`ended before its console showed ${pattern}`);
      const leftMs = endsAt - performance.now();
      if (leftMs <= 0) throw this.#failure(`did not show ${pattern} within ${deadlineMs} ms`);
      await this.#change.wait(leftMs);
    }
  }

  /** Ends the process and waits until it is gone. */
  async kill(): Promise<void> {
    if (!this.#hasEnded) this.#child.kill('SIGKILL');
    await this.#ended;
  }

  #failure(what: string): Error {
    const errors = this.#errors === '' ? '' : `\nit said: ${this.#errors.trim()}`;
    return new Error(
      `${this.#child.spawnfile} ${what}; its console ends with:\n${this.#console.slice(-1500)}${errors}`,
    );
  }
}
