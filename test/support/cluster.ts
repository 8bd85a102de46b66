/**
 * A whole cluster as a user gets it from `skein up`: coordinator, storage service and agents as real processes. The
 * test acts through the REST API and consoles, and breaks things by signals to the pids that `up` recorded.
 */
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { ensureGuestImage } from '@skein/guests';
import { ClusterInfo, clientProtocol, type HostView, type OperationView, type VmView } from '@skein/shared';
import { dial, type Link, readTokenFile } from '@skein/transport';
import { until } from './until.ts';

const root = resolve(import.meta.dirname, '../..');
const run = promisify(execFile);

interface RecordedProcess {
  readonly role: 'coordinator' | 'storage' | 'agent';
  readonly name: string;
  pid: number;
  readonly configFile: string;
  readonly logFile: string;
}

export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly exitCode: number;
}

const packageOf = { coordinator: 'coordinator', storage: 'storage', agent: 'host-agent' } as const;

export interface ClusterOptions {
  /** More of `skein up`. */
  readonly arguments?: readonly string[];
  /** Of all its processes. */
  readonly environment?: NodeJS.ProcessEnv;
}

export class Cluster {
  readonly folder = mkdtempSync(join(tmpdir(), 'skein-cluster-'));
  readonly processes: RecordedProcess[] = [];
  #url = '';
  #token = '';
  #image = '';
  #consoles: Console[] = [];
  readonly #environment: NodeJS.ProcessEnv;

  private constructor(environment: NodeJS.ProcessEnv) {
    this.#environment = { ...process.env, ...environment, SKEIN_STATE: this.folder };
  }

  static async start(hosts: number, options: ClusterOptions = {}): Promise<Cluster> {
    const cluster = new Cluster(options.environment ?? {});
    cluster.#image = (await ensureGuestImage({})).digest;
    const more = options.arguments ?? [];
    await cluster.skein('up', '--hosts', String(hosts), '--state', cluster.folder, ...more);
    const file = JSON.parse(readFileSync(join(cluster.folder, 'cluster.json'), 'utf8')) as {
      apiUrl: string;
      apiTokenFile: string;
      processes: RecordedProcess[];
    };
    cluster.processes.push(...file.processes);
    cluster.#url = file.apiUrl;
    cluster.#token = readFileSync(file.apiTokenFile, 'utf8').trim();
    return cluster;
  }

  get url(): string {
    return this.#url;
  }

  /** Digest of the guest image that its VMs boot from. */
  get image(): string {
    return this.#image;
  }

  get tokenFile(): string {
    return join(this.folder, 'api.token');
  }

  /** Runs `skein`; rejects with its output if it fails. */
  async skein(...args: string[]): Promise<string> {
    return (await this.told(...args)).stdout;
  }

  /** The same with what it says beside its results. */
  async told(...args: string[]): Promise<{ readonly stdout: string; readonly stderr: string }> {
    const main = join(root, 'packages/cli/src/main.ts');
    return await run(process.execPath, [main, ...args], { env: this.#environment, timeout: 120_000 });
  }

  /** What `skein` says as problem details when it fails, as it must. */
  async refusal(...args: string[]): Promise<Refusal> {
    try {
      await this.skein(...args, '--output', 'json');
    } catch (error) {
      const { stderr } = error as { readonly stderr: string };
      return JSON.parse(stderr.trim().split('\n').at(-1) ?? '') as Refusal;
    }
    throw new Error(`skein ${args.join(' ')} did what it should not`);
  }

  process(name: string): RecordedProcess {
    const found = this.processes.find((one) => one.name === name);
    if (found === undefined) throw new Error(`no process ${name}`);
    return found;
  }

  signal(name: string, signal: NodeJS.Signals): void {
    process.kill(this.process(name).pid, signal);
  }

  /** Kills for good; the process is gone when this returns. */
  async kill(name: string): Promise<void> {
    const { pid } = this.process(name);
    process.kill(pid, 'SIGKILL');
    await until(`${name} is gone`, () => !isAlive(pid));
  }

  /** Starts a killed process again, with the configuration it had. */
  async restart(name: string): Promise<void> {
    const one = this.process(name);
    const main = join(root, 'packages', packageOf[one.role], 'src/main.ts');
    const log = openSync(one.logFile, 'a');
    const child = spawn(process.execPath, [main, '--config', one.configFile], {
      stdio: ['ignore', 'pipe', log],
      env: this.#environment,
      detached: true,
    });
    closeSync(log);
    one.pid = child.pid ?? 0;
    await new Promise<void>((done, fail) => {
      child.stdout?.once('data', () => done());
      child.once('exit', (code) => fail(new Error(`${name} ended with ${code}`)));
    });
    child.unref();
  }

  log(name: string): string {
    return readFileSync(this.process(name).logFile, 'utf8');
  }

  /** A coordinator that has just started knows its hosts again after their first heartbeats. */
  async connected(...hosts: string[]): Promise<void> {
    for (const name of hosts) {
      await this.eventually(
        `${name} is connected`,
        async () => (await this.host(name)).state === 'connected',
      );
    }
  }

  async api<T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<T> {
    const response = await fetch(`${this.#url}/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(10_000),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  }

  vm(name: string): Promise<VmView> {
    return this.api('GET', `/vms/${name}`);
  }

  host(name: string): Promise<HostView> {
    return this.api('GET', `/hosts/${name}`);
  }

  operation(id: string): Promise<OperationView> {
    return this.api('GET', `/operations/${id}`);
  }

  /** Creates a VM on a host and waits until its guest is ready. */
  async boot(
    name: string,
    host: string,
    address: string,
    more: Record<string, unknown> = {},
  ): Promise<Console> {
    await this.api('POST', '/vms', {
      name,
      memoryMib: 128,
      image: this.#image,
      nics: [{ segment: 'lan', address: `${address}/24` }],
      host,
      ...more,
    });
    const console = await this.console(name);
    await console.until(new RegExp(`skein-guest: ready ${name}`), 90_000);
    return console;
  }

  async console(vm: string): Promise<Console> {
    const info = ClusterInfo.parse(await this.api('GET', '/cluster'));
    const console = await Console.attach(vm, new URL(this.#url).hostname, info.clientPort, this.tokenFile);
    this.#consoles.push(console);
    return console;
  }

  /** Polls the API until `condition` holds; while nobody answers it goes on. */
  async eventually<T>(what: string, look: () => Promise<T | false>, deadlineMs = 30_000): Promise<T> {
    const endsAt = performance.now() + deadlineMs;
    let last: unknown;
    for (;;) {
      try {
        const found = await look();
        if (found !== false) return found;
      } catch (error) {
        last = error;
      }
      if (performance.now() > endsAt)
        throw new Error(`${what}: not within ${deadlineMs} ms`, { cause: last });
      await new Promise((done) => setTimeout(done, 50));
    }
  }

  async close({ keepsFolder = false }: { readonly keepsFolder?: boolean } = {}): Promise<void> {
    for (const console of this.#consoles) console.close();
    for (const { pid } of this.processes) {
      if (!isAlive(pid)) continue;
      process.kill(pid, 'SIGKILL');
      process.kill(pid, 'SIGCONT');
    }
    for (const { name, pid } of this.processes) await until(`${name} is gone`, () => !isAlive(pid));
    if (!keepsFolder) rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A guest's console through the coordinator, as `skein vm console` has it. */
export class Console {
  text = '';
  readonly markers: string[] = [];
  #link: Link<typeof clientProtocol, 'dialer'> | null = null;

  static async attach(vm: string, address: string, port: number, tokenFile: string): Promise<Console> {
    const console = new Console();
    const link = await dial({
      host: address,
      port,
      protocol: clientProtocol,
      own: { role: 'client', name: 'test', bootId: randomBytes(16).toString('hex') },
      authentication: { kind: 'token', token: await readTokenFile(tokenFile) },
      handlers: {
        requests: {},
        notices: {
          'console.output': ({ bytes }) => {
            console.text += Buffer.from(bytes).toString('latin1');
          },
          'console.marker': ({ text }) => void console.markers.push(text),
        },
      },
    });
    console.#link = link;
    const { backlog } = await link.request('console.attach', { vm }, { deadlineMs: 10_000 });
    // Output that came before the answer stands behind the backlog.
    console.text = Buffer.from(backlog).toString('latin1') + console.text;
    return console;
  }

  type(text: string): void {
    this.#link?.notify('console.input', { bytes: new Uint8Array(Buffer.from(text)) });
  }

  until(pattern: RegExp, deadlineMs = 30_000, from = 0): Promise<RegExpExecArray> {
    const shown = (): string => this.text.slice(from);
    return until(`the console shows ${pattern}`, () => pattern.exec(shown()), deadlineMs).catch((cause) => {
      throw new Error(`the console shows no ${pattern} but ${JSON.stringify(shown().slice(-500))}`, {
        cause,
      });
    });
  }

  /** Answers only if the guest lives. */
  async expectAlive(): Promise<void> {
    const number = Math.floor(Math.random() * 100_000);
    const from = this.text.length;
    this.type(`echo alive $((${number} + 1))\n`);
    await this.until(new RegExp(`^alive ${number + 1}\\s*$`, 'm'), 15_000, from);
  }

  close(): void {
    this.#link?.close();
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie that nobody reaped yet is dead.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
