/**
 * Progress for people, on standard error: on a terminal one line that is rewritten, elsewhere a line for each new
 * phase. Never on standard output, which belongs to data.
 */
export class StatusLine {
  readonly #isTerminal = process.stderr.isTTY === true;
  #shown = '';
  #phase = '';

  /** `figures` change often and are shown on a terminal only. */
  show(phase: string, figures = ''): void {
    const line = figures === '' ? phase : `${phase} ${figures}`;
    if (this.#isTerminal) {
      const width = Math.max(20, (process.stderr.columns ?? 80) - 1);
      const text = line.slice(0, width);
      if (text !== this.#shown) process.stderr.write(`\r\x1b[K${text}`);
      this.#shown = text;
    } else if (phase !== this.#phase) {
      process.stderr.write(`${phase}\n`);
    }
    this.#phase = phase;
  }

  /** A line that stays. */
  say(line: string): void {
    this.clear();
    process.stderr.write(`${line}\n`);
  }

  clear(): void {
    if (this.#shown !== '') process.stderr.write('\r\x1b[K');
    this.#shown = '';
    this.#phase = '';
  }
}
