/** Reads a program's metrics as Prometheus does, and finds values in what it got. */
import { execFileSync, spawnSync } from 'node:child_process';

export class Scrape {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  static async of(url: string, token: string): Promise<Scrape> {
    const response = await fetch(url, {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(5000),
    });
    if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
    return new Scrape(await response.text());
  }

  /** Of the series that has all these labels; undefined without one. */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
    const parts = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    const line = this.text
      .split('\n')
      .find(
        (one) =>
          (one.startsWith(`${name}{`) || one.startsWith(`${name} `)) &&
          parts.every((part) => one.includes(part)),
      );
    return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ') + 1));
  }

  /** What Prometheus' own tool has against it; empty if nothing. */
  complaints(): string {
    return spawnSync('promtool', ['check', 'metrics'], { input: this.text, encoding: 'utf8' }).stderr;
  }
}

/** Debian's package `prometheus` is installed. */
export function hasPrometheus(): boolean {
  try {
    execFileSync('promtool', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
