/** A guest's console as a program sees it: lines with the time of their arrival, and a shell to type commands into. */
import { type ClusterInfo, OperationError } from '@skein/shared';
import type { ClusterAccess } from './access.ts';
import { ConsoleLink } from './console-link.ts';
import { PlainText } from './plain-text.ts';

export type LineListener = (line: string, atMs: number) => void;

/** What was printed last; enough for a boot's messages and any command's output. */
const textMax = 128 << 10;

interface Waiting {
  readonly look: () => boolean;
}

export class GuestConsole {
  readonly name: string;
  readonly #plain = new PlainText();
  readonly #listeners = new Set<LineListener>();
  readonly #waiting = new Set<Waiting>();
  #link: ConsoleLink | null = null;
  /** The last `textMax` characters, escape sequences and carriage returns left out. */
  #text = '';
  /** How much was dropped in front of it: positions in the whole stay valid. */
  #dropped = 0;
  #lineStart = '';
  #closedBecause: string | null = null;

  private constructor(name: string) {
    this.name = name;
  }

  /** @throws OperationError vm.not-found, link.* */
  static async attach(access: ClusterAccess, cluster: ClusterInfo, name: string): Promise<GuestConsole> {
    const console = new GuestConsole(name);
    console.#link = await ConsoleLink.attach(access, cluster, name, {
      onOutput: (bytes) => console.#take(bytes),
      onMarker: () => {},
    });
    void console.#link.closed.then(({ message }) => {
      console.#closedBecause = message;
      console.#look();
    });
    return console;
  }

  /** Position after everything printed so far; give it to `waitFor` to see only what comes later. */
  get position(): number {
    return this.#dropped + this.#text.length;
  }

  /** Calls the listener with each whole line from now on; returns how to end that. */
  onLine(listener: LineListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  type(text: string): void {
    this.#link?.type(new TextEncoder().encode(text));
  }

  /** Text from a position on, as far as it is still kept. */
  textFrom(position: number): string {
    return this.#text.slice(Math.max(0, position - this.#dropped));
  }

  /** Waits until the text from `position` on matches. @throws OperationError timeout, link.closed */
  async waitFor(pattern: RegExp, position: number, deadlineMs: number): Promise<RegExpExecArray> {
    let match: RegExpExecArray | null = null;
    await this.waitUntil(`print ${pattern.source}`, deadlineMs, () => {
      match = pattern.exec(this.textFrom(position));
      return match !== null;
    });
    return match as unknown as RegExpExecArray;
  }

  /** Waits until something is true that can only become so with new output. @throws OperationError timeout, link.closed */
  async waitUntil(what: string, deadlineMs: number, isTrue: () => boolean): Promise<void> {
    if (isTrue()) return;
    await new Promise<void>((resolve, reject) => {
      const end = (settle: () => void): boolean => {
        clearTimeout(timer);
        this.#waiting.delete(waiting);
        settle();
        return true;
      };
      const fail = (code: 'timeout' | 'link.closed', message: string): boolean =>
        end(() => reject(new OperationError({ code, message })));
      const waiting: Waiting = {
        look: () => {
          if (isTrue()) return end(resolve);
          if (this.#closedBecause === null) return false;
          return fail('link.closed', `the console of ${this.name} was closed: ${this.#closedBecause}`);
        },
      };
      const timer = setTimeout(() => {
        const tail = this.textFrom(this.position - 300).trim();
        const message = `${this.name} did not ${what} within ${deadlineMs / 1000} s; its console ends with:\n${tail}`;
        fail('timeout', message);
      }, deadlineMs);
      this.#waiting.add(waiting);
      waiting.look();
    });
  }

  /** Runs a command in the guest's shell and returns what it printed. @throws OperationError timeout, link.closed */
  async run(command: string, deadlineMs: number): Promise<string> {
    const position = this.position;
    this.type(`${command}\n`);
    await this.waitFor(this.#promptAfterCommand, position, deadlineMs);
    const [, ...lines] = this.textFrom(position).split('\n');
    return lines.slice(0, -1).join('\n');
  }

  /** The prompt of the guest's shell at the end of what it printed. */
  get prompt(): RegExp {
    return new RegExp(`(?:^|\\n)${this.name}:[^\\n]*# $`);
  }

  close(): void {
    this.#link?.close();
  }

  get #promptAfterCommand(): RegExp {
    return new RegExp(`\\n${this.name}:[^\\n]*# $`);
  }

  #take(bytes: Uint8Array): void {
    const atMs = performance.now();
    const text = this.#plain.push(bytes);
    this.#text += text;
    if (this.#text.length > 2 * textMax) {
      this.#dropped += this.#text.length - textMax;
      this.#text = this.#text.slice(-textMax);
    }
    const lines = (this.#lineStart + text).split('\n');
    this.#lineStart = (lines.pop() ?? '').slice(-textMax);
    for (const line of lines) {
      for (const listener of this.#listeners) listener(line, atMs);
    }
    this.#look();
  }

  #look(): void {
    for (const waiting of [...this.#waiting]) waiting.look();
  }
}
