/**
 * The network namespaces of a cluster, which live as long as its gateway: it stands in the networks' own namespace, and
 * the others have their names (ip-netns(8)) in its mount namespace, so that its end leaves none of them. Whoever may
 * not make namespaces on the machine makes them in a user namespace of his own (user_namespaces(7)).
 */
import { execFile } from 'node:child_process';
import { readFile, readlink } from 'node:fs/promises';
import { promisify } from 'node:util';
import { OperationError } from '@skein/shared';
import { bridgeLines, cableLines, outsideOf, type Station, stationLines } from './cable-plan.ts';

const run = promisify(execFile);
const deadlineMs = 30_000;
const outputBytesMax = 16 << 20;
const names = '/run/netns';

/** CAP_NET_ADMIN and CAP_SYS_ADMIN (capabilities(7)); with both, no user namespace is needed. */
const adminCapabilities = (1n << 12n) | (1n << 21n);

/** What the gateway is started with: into namespaces of its own. */
export async function wordsBeforeGateway(): Promise<readonly string[]> {
  const effective = /^CapEff:\s+([0-9a-f]+)$/m.exec(await readFile('/proc/self/status', 'utf8'))?.[1] ?? '0';
  const isAdmin = (BigInt(`0x${effective}`) & adminCapabilities) === adminCapabilities;
  return ['unshare', ...(isAdmin ? [] : ['--user', '--map-root-user']), '--net', '--mount', '--'];
}

export class Namespaces {
  readonly #gatewayPid: number;
  readonly #hasUserNamespace: boolean;

  private constructor(gatewayPid: number, hasUserNamespace: boolean) {
    this.#gatewayPid = gatewayPid;
    this.#hasUserNamespace = hasUserNamespace;
  }

  /** Of a gateway that runs. @throws OperationError bed.unavailable */
  static async of(gatewayPid: number): Promise<Namespaces> {
    try {
      const [theirs, ours] = [`/proc/${gatewayPid}/ns/user`, '/proc/self/ns/user'].map((path) =>
        readlink(path),
      );
      return new Namespaces(gatewayPid, (await theirs) !== (await ours));
    } catch (cause) {
      const message = `the namespaces of the gateway (pid ${gatewayPid}) cannot be entered: ${(cause as Error).message}`;
      throw new OperationError({ code: 'bed.unavailable', message, cause });
    }
  }

  /** Bridges, a namespace for each program, and all cables. @throws OperationError bed.unavailable */
  async make(stations: readonly Station[]): Promise<void> {
    // Names of our own: /run is the gateway's alone from here on, and needs no right to write on the machine's.
    await this.inNetworks(['sh', '-ec', `mount -t tmpfs -o mode=0755 skein /run; mkdir ${names}`]);
    await this.inNetworks(['ip', '-batch', '-'], bridgeLines());
    for (const station of stations) await this.#connect(station);
  }

  /** As a machine that is switched on again: its namespace is a new one, nothing of what was done to it is left. */
  async renew(station: Station): Promise<void> {
    const { program, networks } = station;
    const removals = networks.map((network) => `ip link del ${outsideOf(network, station)} 2>/dev/null || :`);
    // Whatever is left of it goes: an attempt that ended half-way must not stand in the way of the next.
    await this.inNetworks([
      'sh',
      '-ec',
      [...removals, `ip netns del ${program} 2>/dev/null || :`].join('\n'),
    ]);
    await this.#connect(station);
  }

  async #connect(station: Station): Promise<void> {
    await this.inNetworks(['ip', '-batch', '-'], cableLines(station));
    await this.inProgram(station.program, ['ip', '-batch', '-'], stationLines(station));
  }

  /** Runs a command where the bridges are. Answers what it printed. @throws OperationError bed.unavailable */
  inNetworks(command: readonly string[], input: readonly string[] = []): Promise<string> {
    return enter([...this.#nsenter('--mount', '--net'), ...command], input);
  }

  /** Runs a command in a program's network namespace. Answers what it printed. @throws OperationError bed.unavailable */
  inProgram(program: string, command: readonly string[], input: readonly string[] = []): Promise<string> {
    return enter([...this.#nsenter('--mount', this.#net(program)), ...command], input);
  }

  /**
   * What the program itself is started with. It sees the machine's files and processes as any other does, and has no
   * power over its networks: of root's capabilities only the one to read and write files stays.
   */
  wordsBefore(program: string): readonly string[] {
    const limits = ['--inh-caps=-all', '--bounding-set=-all,+dac_override', '--no-new-privs'];
    return [...this.#nsenter(this.#net(program)), 'setpriv', ...limits, '--'];
  }

  #nsenter(...which: readonly string[]): readonly string[] {
    const user = this.#hasUserNamespace ? ['--user', '--preserve-credentials'] : [];
    return ['nsenter', '--target', String(this.#gatewayPid), ...user, ...which, '--'];
  }

  #net(program: string): string {
    return `--net=/proc/${this.#gatewayPid}/root${names}/${program}`;
  }
}

async function enter([program = '', ...args]: readonly string[], input: readonly string[]): Promise<string> {
  try {
    const running = run(program, args, { timeout: deadlineMs, maxBuffer: outputBytesMax });
    running.child.stdin?.end(input.map((line) => `${line}\n`).join(''));
    return (await running).stdout;
  } catch (cause) {
    throw new OperationError({ code: 'bed.unavailable', message: explain(cause), cause });
  }
}

/** The tool's own words, and what is missing if one of them is. */
export function explain(cause: unknown): string {
  const { code, stderr = '', path } = cause as NodeJS.ErrnoException & { readonly stderr?: string };
  if (code === 'ENOENT') return `${path} is not installed: it comes with Debian's package util-linux`;
  const words = stderr.trim().split('\n')[0]?.slice(0, 300) || String(cause);
  const missing = /(?:exec(?:ute)?|:) ?(ip|tc|iptables|setpriv|mount): (?:No such file|not found)/.exec(
    words,
  )?.[1];
  const packages: Readonly<Record<string, string>> = { ip: 'iproute2', tc: 'iproute2', iptables: 'iptables' };
  const advice = missing === undefined ? '' : `; install ${packages[missing] ?? 'util-linux'}`;
  return `the networks cannot be reached or made: ${words}${advice}`;
}
