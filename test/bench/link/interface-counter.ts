/** What a host's migration interface sends, counted by the kernel at the other end of its cable: headers and encryption included. */
import { existsSync, readFileSync } from 'node:fs';
import { containerOf, docker } from '../container-cluster.ts';
import { migrationAddressOf } from './migration-address.ts';

const samplePeriodMs = 2;
/** Clock exchange and keep-alive are no pages. */
const edgeBytes = 64 << 10;

/** Bytes that a host's migration interface sent, by the kernel's own counter at the other end of its cable. */
export class InterfaceCounter {
  readonly #path: string;
  readonly #samples: { readonly atMs: number; readonly bytes: number }[] = [];
  readonly #timer: NodeJS.Timeout;

  private constructor(path: string) {
    this.#path = path;
    this.#sample();
    this.#timer = setInterval(() => this.#sample(), samplePeriodMs);
  }

  static async start(host: string): Promise<InterfaceCounter> {
    const path = `/sys/class/net/${await outsideOf(host)}/statistics/rx_bytes`;
    if (!existsSync(path)) throw new Error(`${path} is not there: the bench runs where the engine runs`);
    return new InterfaceCounter(path);
  }

  /** In all, and from the first to the last byte of bulk. */
  stop(): { readonly bytes: number; readonly durationMs: number } {
    clearInterval(this.#timer);
    this.#sample();
    const first = this.#samples[0]?.bytes ?? 0;
    const last = this.#samples.at(-1)?.bytes ?? 0;
    const began = this.#samples.findLast(({ bytes }) => bytes < first + edgeBytes);
    const ended = this.#samples.find(({ bytes }) => bytes > last - edgeBytes);
    return { bytes: last - first, durationMs: (ended?.atMs ?? 0) - (began?.atMs ?? 0) };
  }

  #sample(): void {
    this.#samples.push({ atMs: performance.now(), bytes: Number(readFileSync(this.#path, 'utf8')) });
  }
}

async function outsideOf(host: string): Promise<string> {
  const address = await migrationAddressOf(host);
  const script = `for i in /sys/class/net/*; do n=$(basename $i); if ip -o -4 address show dev $n | grep -q ' ${address}/'; then cat $i/iflink; fi; done`;
  const index = (await docker('exec', containerOf(host), 'sh', '-c', script)).trim();
  const image = (await docker('inspect', '--format', '{{.Config.Image}}', containerOf(host))).trim();
  const run = ['run', '--rm', '--pull', 'never', '--network', 'host', '--entrypoint', 'ip', image];
  const found = new RegExp(`^${index}: ([^:@]+)`, 'm').exec(await docker(...run, '-o', 'link', 'show'));
  if (found?.[1] === undefined) throw new Error(`the cable of ${host} was not found`);
  return found[1];
}
