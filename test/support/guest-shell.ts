/** A guest's shell, typed at through `skein vm console`. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { until } from './until.ts';

export class GuestShell {
  /** All that the console said since it was attached, its backlog included. */
  text = '';
  /** What `skein` itself said. */
  #remarks = '';
  readonly #vm: string;
  readonly #console: ChildProcessWithoutNullStreams;

  constructor(vm: string, console: ChildProcessWithoutNullStreams) {
    this.#vm = vm;
    this.#console = console;
    console.stdout.setEncoding('latin1').on('data', (text: string) => {
      this.text += text;
    });
    console.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#remarks += text;
    });
    console.stdin.on('error', () => {}); // Its end is told by isOpen.
  }

  get isOpen(): boolean {
    return this.#console.exitCode === null && this.#console.signalCode === null;
  }

  type(text: string): void {
    this.#console.stdin.write(text);
  }

  /** Runs a command to its end; answers what it printed, and the lines that the shell echoed. The guest's own arithmetic proves that it lives. */
  async run(command: string, deadlineMs = 60_000): Promise<string> {
    const [begin, end] = [mark(), mark()];
    this.type(`echo $((${begin} + 1))\n${command}\necho $((${end} + 1))\n`);
    // What stands before is older: a console begins with its backlog.
    const pattern = new RegExp(`^${begin + 1}\\s*$([\\s\\S]*?)^${end + 1}\\s*$`, 'm');
    const [, printed = ''] = await until(
      `${this.#vm} ends ${command}`,
      () => {
        if (!this.isOpen) throw new Error(`the console of ${this.#vm} has ended: ${this.#remarks}`);
        return pattern.exec(this.text);
      },
      deadlineMs,
    );
    return printed;
  }

  close(): void {
    this.#console.kill('SIGKILL');
  }
}

function mark(): number {
  return 1_000_000 + Math.floor(Math.random() * 1_000_000_000);
}
