/**
 * `qemu-system-riscv64 -M virt` as a process of a test: started with its console on pipes, read until a pattern
 * appears, typed into, ended by its pid. QEMU is the oracle and the peer of our machine, so a test that needs it
 * does not skip without it: `requireQemu` says how to install it.
 */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';

export const qemuProgram = 'qemu-system-riscv64';

/** What makes QEMU's board the one that Skein has: virtio-mmio 2 on the `virt` board, console on standard output. */
export const qemuBoardArguments: readonly string[] = [
  ...['-machine', 'virt', '-global', 'virtio-mmio.force-legacy=false'],
  ...['-display', 'none', '-monitor', 'none', '-serial', 'stdio', '-no-reboot'],
];

/** More than any test prints; a guest gone wild must not fill the memory. */
const consoleCharactersMax = 4 * 1024 * 1024;

/** QEMU's version, such as `7.2.22`. Throws with the way to install it where it is absent. */
export function requireQemu(): string {
  try {
    const text = execFileSync(qemuProgram, ['--version'], { encoding: 'utf8', timeout: 10_000 });
    return /version ([\d.]+)/.exec(text)?.[1] ?? 'unknown';
  } catch (cause) {
    throw new Error(
      `this test needs ${qemuProgram}, which does not run here: apt-get install qemu-system-misc ` +
        '(from Debian 13 on: qemu-system-riscv)',
      { cause },
    );
  }
}

/** A running QEMU. Whoever starts one ends it with `kill`, whatever happened. */
export class QemuProcess {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #exited: Promise<number | undefined>;
  readonly #waiters = new Set<() => void>();
  #console = '';
  #errors = '';
  #hasEnded = false;

  private constructor(args: readonly string[]) {
    this.#child = spawn(qemuProgram, args, { stdio: 'pipe' });
    this.#child.stdout.setEncoding('latin1').on('data', (text: string) => {
      this.#console = (this.#console + text).slice(-consoleCharactersMax);
      this.#wakeWaiters();
    });
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-4096);
    });
    // A guest that is gone cannot be typed to; what a test waits for then tells the reason.
    this.#child.stdin.on('error', () => undefined);
    this.#exited = new Promise((resolve) => {
      const end = (code: number | null): void => {
        this.#hasEnded = true;
        this.#wakeWaiters();
        resolve(code ?? undefined);
      };
      this.#child.once('error', (cause) => {
        this.#errors += cause.message;
        end(null);
      });
      this.#child.once('close', end);
    });
  }

  /** Starts QEMU with all its arguments; see `qemuBoardArguments` for those that most tests begin with. */
  static start(args: readonly string[]): QemuProcess {
    requireQemu();
    return new QemuProcess(args);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** All that the console has printed (the last 4 MiB of it), bytes as Latin-1 characters. */
  get console(): string {
    return this.#console;
  }

  /**
   * Waits until the console shows the pattern behind the offset, at once if it does already.
   * Throws when it did not within the deadline, or when QEMU ended without it; with the console's end.
   */
  async waitFor(pattern: RegExp, deadlineMs: number, fromOffset = 0): Promise<RegExpExecArray> {
    const endsAt = performance.now() + deadlineMs;
    for (;;) {
      const match = pattern.exec(this.#console.slice(fromOffset));
      if (match !== null) return match;
      if (this.#hasEnded) throw this.#failure(`QEMU ended before its console showed ${pattern}`);
      const restMs = endsAt - performance.now();
      if (restMs <= 0) throw this.#failure(`the console did not show ${pattern} within ${deadlineMs} ms`);
      await this.#change(restMs);
    }
  }

  /** Types on the console; a line needs its `\n`. */
  send(text: string): void {
    this.#child.stdin.write(text, 'latin1');
  }

  /** Types a line and waits for a pattern in what the console prints from then on. */
  async ask(line: string, pattern: RegExp, deadlineMs: number): Promise<RegExpExecArray> {
    const offset = this.#console.length;
    this.send(`${line}\n`);
    return await this.waitFor(pattern, deadlineMs, offset);
  }

  /** The exit code when QEMU ends by itself, undefined when it was killed. */
  async exit(deadlineMs: number): Promise<number | undefined> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), deadlineMs);
    try {
      return await this.#exited;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends QEMU and waits until it is gone. */
  async kill(): Promise<void> {
    if (!this.#hasEnded) this.#child.kill('SIGKILL');
    await this.#exited;
  }

  #wakeWaiters(): void {
    for (const wake of this.#waiters) wake();
  }

  /** The next output or the end, or the deadline. */
  #change(restMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, restMs);
      this.#waiters.add(wake);
    });
  }

  #failure(what: string): Error {
    const errors = this.#errors === '' ? '' : `\nQEMU said: ${this.#errors.trim()}`;
    return new Error(`${what}; the console ends with:\n${this.#console.slice(-2000)}${errors}`);
  }
}
