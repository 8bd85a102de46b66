/**
 * A person's terminal as a guest's console: raw mode, so that every key (also Ctrl-C) goes to the guest; Ctrl-] leaves.
 * Off a terminal, standard input and output are passed through as they are.
 */
import { once } from 'node:events';
import type { ReadStream } from 'node:tty';

/** Ctrl-]: telnet's escape character. */
const leaveByte = 0x1d;

export interface ConsoleTerminalHandlers {
  readonly onInput: (bytes: Uint8Array) => void;
  /** Ctrl-] was typed, or the process was asked to end. */
  readonly onLeave: (reason: 'key' | 'signal') => void;
  /** Standard input has ended: nothing more will be typed. */
  readonly onInputEnd?: () => void;
  /** The output was behind and has caught up. */
  readonly onDrain?: () => void;
}

/** For people only, also beside a guest's console: nothing of it enters what a program reads. */
export function remark(text: string): void {
  if (process.stderr.isTTY === true) process.stderr.write(`\r\n[${text}]\r\n`);
  else process.stderr.write(`[${text}]\n`);
}

export class ConsoleTerminal {
  readonly #stdin: ReadStream = process.stdin;
  readonly #handlers: ConsoleTerminalHandlers;
  readonly #onData = (bytes: Buffer): void => this.#read(bytes);
  readonly #onEnd = (): void => this.#handlers.onInputEnd?.();
  readonly #onDrain = (): void => this.#handlers.onDrain?.();
  readonly #onSignal = (): void => this.#handlers.onLeave('signal');

  constructor(handlers: ConsoleTerminalHandlers) {
    this.#handlers = handlers;
    if (this.isInteractive) this.#stdin.setRawMode(true);
    this.#stdin.on('data', this.#onData).on('end', this.#onEnd);
    this.#stdin.on('error', this.#onEnd);
    process.stdout.on('drain', this.#onDrain);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, this.#onSignal);
  }

  get isInteractive(): boolean {
    return this.#stdin.isTTY === true;
  }

  /** False when the reader is behind; `onDrain` says when it caught up. */
  write(bytes: Uint8Array): boolean {
    return process.stdout.write(bytes);
  }

  remark(text: string): void {
    remark(text);
  }

  /** Gives the terminal back as it was; ends when what was written has left. */
  async close(): Promise<void> {
    this.#stdin.off('data', this.#onData).off('end', this.#onEnd);
    process.stdout.off('drain', this.#onDrain);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, this.#onSignal);
    if (this.isInteractive) this.#stdin.setRawMode(false);
    this.#stdin.pause();
    this.#stdin.unref?.();
    if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain');
  }

  #read(bytes: Buffer): void {
    const leaveAt = this.isInteractive ? bytes.indexOf(leaveByte) : -1;
    const typed = leaveAt < 0 ? bytes : bytes.subarray(0, leaveAt);
    if (typed.length > 0) this.#handlers.onInput(new Uint8Array(typed));
    if (leaveAt >= 0) this.#handlers.onLeave('key');
  }
}
