/** Debian's Prometheus as a process of its own, with the configuration of the profile `monitoring`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { until } from './until.ts';

const monitoring = resolve(import.meta.dirname, '../../compose/monitoring');

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Replacements {
  /** What the compose file calls a program, and where it is in this cluster. */
  readonly [name: string]: string;
}

export class Prometheus {
  readonly #folder = mkdtempSync(join(tmpdir(), 'skein-prometheus-'));
  readonly #url: string;
  readonly #child: ChildProcess;
  #log = '';

  private constructor(listenAddress: string, replacements: Replacements) {
    this.#url = `http://${listenAddress}`;
    let config = readFileSync(join(monitoring, 'prometheus.yml'), 'utf8');
    for (const [name, actual] of Object.entries(replacements)) config = config.replaceAll(name, actual);
    writeFileSync(join(this.#folder, 'prometheus.yml'), config);
    copyFileSync(join(monitoring, 'alerts.yml'), join(this.#folder, 'alerts.yml'));
    this.#child = spawn(
      'prometheus',
      [
        `--config.file=${join(this.#folder, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(this.#folder, 'data')}`,
        `--web.listen-address=${listenAddress}`,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#log = (this.#log + text).slice(-100_000);
    });
    process.once('exit', this.#kill);
  }

  readonly #kill = (): void => void this.#child.kill('SIGKILL');

  static async start(listenAddress: string, replacements: Replacements): Promise<Prometheus> {
    const prometheus = new Prometheus(listenAddress, replacements);
    await until('Prometheus is ready', () => /Server is ready/.test(prometheus.#log));
    return prometheus;
  }

  /** An instant query. Source: Prometheus documentation, "HTTP API". */
  async query(expression: string): Promise<readonly Sample[]> {
    const data = await this.get<{
      result: { metric: Record<string, string>; value: [number, string] }[];
    }>(`query?query=${encodeURIComponent(expression)}`);
    return data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
  }

  async get<T>(path: string): Promise<T> {
    const response = await fetch(`${this.#url}/api/v1/${path}`, { signal: AbortSignal.timeout(5000) });
    const body = (await response.json()) as { status: string; data: T; error?: string };
    if (body.status !== 'success') throw new Error(`${path}: ${body.error}`);
    return body.data;
  }

  async close(): Promise<void> {
    const ended = new Promise((done) => this.#child.once('exit', done));
    this.#child.kill('SIGTERM');
    await ended;
    process.off('exit', this.#kill);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
