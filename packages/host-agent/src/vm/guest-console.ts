/**
 * What a guest wrote on its console: the last 64 KiB with a position counted since power-on, and what can be read
 * from it without asking the guest: the kernel's version in its banner, the image's `ready` line, and a kernel's last
 * words (Linux, kernel/panic.c: panic).
 */
import { consoleBacklogBytesMax, type GuestHistory, LastBytes } from '@skein/shared';

const bannerPattern = /Linux version (\S{1,100})/;
const readyPattern = /^skein-guest: ready\b/;
const panicWords = 'Kernel panic - not syncing: ';
/** Behind the kernel's own clock, which a program's lines do not have. */
const panicPattern = new RegExp(`^\\[ *\\d+\\.\\d+\\] ${panicWords}(.{1,200})`);
/** A line longer than this is not one that we look for. */
const lineBytesMax = 512;

export class GuestConsole {
  #backlog = new LastBytes(consoleBacklogBytesMax);
  #position = 0;
  #line = '';
  readonly #decoder = new TextDecoder('latin1');
  kernel: string | null = null;
  /** What the kernel said when it gave up: nothing comes after it. */
  panic: string | null = null;
  /** Called at the first `ready` line; once more if that came before the history of a migration. */
  onReady: (() => void) | null = null;
  #isReady = false;

  /** Takes over what the source of a migration had heard; what the guest wrote here already stands behind it. */
  adopt(history: GuestHistory): void {
    const early = this.backlog;
    this.#backlog = new LastBytes(consoleBacklogBytesMax);
    this.#backlog.append(history.consoleBacklog);
    this.#position = history.consolePosition;
    this.kernel = history.kernel;
    this.#isReady = history.readyMs !== null;
    // What was written here so far is looked through once more, behind the history.
    this.#line = '';
    this.panic = null;
    this.#scan(unheardPart(history));
    this.append(early);
  }

  /** Bytes written since power-on. */
  get position(): number {
    return this.#position;
  }

  /** The last 64 KiB; the first of them stands at `position - backlog.length`. */
  get backlog(): Uint8Array {
    return this.#backlog.bytes;
  }

  append(bytes: Uint8Array): void {
    this.#position += bytes.length;
    this.#backlog.append(bytes);
    this.#scan(bytes);
  }

  #scan(bytes: Uint8Array): void {
    const lines = (this.#line + this.#decoder.decode(bytes)).split('\n');
    this.#line = (lines.pop() ?? '').slice(-lineBytesMax);
    for (const line of lines) {
      this.kernel ??= bannerPattern.exec(line)?.[1] ?? null;
      this.panic ??= panicPattern.exec(line)?.[1]?.trim() ?? null;
      if (!this.#isReady && readyPattern.test(line)) {
        this.#isReady = true;
        this.onReady?.();
      }
    }
  }
}

/**
 * What of a history must still be looked through: the line that was not at its end, for the source has looked at the others. A history does not
 * tell of a panic. 64 KiB line by line took 0.6 ms of a host's first commit, in which its guest's first words wait for this thread.
 */
function unheardPart({ consoleBacklog }: GuestHistory): Uint8Array {
  const bytes = Buffer.from(consoleBacklog.buffer, consoleBacklog.byteOffset, consoleBacklog.length);
  return bytes.includes(panicWords) ? bytes : bytes.subarray(bytes.lastIndexOf('\n') + 1);
}
