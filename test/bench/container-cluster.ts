/**
 * The cluster of the compose file under a project, subnets and ports of the bench's own: nobody's cluster is touched, and
 * whatever ends the bench takes it down.
 */
import { execFile, execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { ApiClient, awaitOperation, findCluster, GuestConsole } from '@skein/cli';
import type { OperationView, VmView } from '@skein/shared';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');
const networks = ['management', 'migration', 'ft-logging', 'storage-a', 'storage-b', 'guest-a', 'guest-b'];

export const project = 'skein-bench';
export const hosts = ['h1', 'h2', 'h3'] as const;

const environment: NodeJS.ProcessEnv = {
  ...process.env,
  SKEIN_PROJECT: project,
  SKEIN_API_PORT: '7300',
  SKEIN_CONSOLE_PORT: '7302',
  ...Object.fromEntries(
    networks.map((network, index) => [
      `SKEIN_SUBNET_${network.toUpperCase().replace('-', '_')}`,
      `10.92.${index + 1}.0/24`,
    ]),
  ),
};
delete environment.SKEIN_STATE;
delete environment.SKEIN_URL;

const pollMs = 20;
const settleDeadlineMs = 120_000;

export async function docker(...args: string[]): Promise<string> {
  const options = { cwd: root, env: environment, timeout: 600_000, maxBuffer: 64 << 20 };
  return (await run('docker', args, options)).stdout;
}

export const containerOf = (program: string): string => `${project}-${program}-1`;

export class ContainerCluster {
  readonly client: ApiClient;
  readonly #access: Awaited<ReturnType<typeof findCluster>>;

  private constructor(access: Awaited<ReturnType<typeof findCluster>>) {
    this.#access = access;
    this.client = new ApiClient(access);
  }

  /** Built, started and healthy: its cluster file's guests have booted. */
  static async up(): Promise<ContainerCluster> {
    process.on('exit', takeDown);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));
    await docker('compose', '--project-name', project, 'up', '--wait', '--quiet-pull');
    return new ContainerCluster(await findCluster(undefined, environment));
  }

  /** `skein` as people type it. */
  async skein(...args: string[]): Promise<string> {
    const options = { cwd: root, env: environment, timeout: 600_000, maxBuffer: 64 << 20 };
    return (await run(process.execPath, ['packages/cli/src/main.ts', ...args], options)).stdout;
  }

  async console(vm: string): Promise<GuestConsole> {
    return await GuestConsole.attach(this.#access, await this.client.cluster(), vm);
  }

  /** Looks again until `look` finds something; the coordinator may be unreachable meanwhile. */
  async eventually<T>(
    what: string,
    look: () => Promise<T | null>,
    deadlineMs = settleDeadlineMs,
  ): Promise<T> {
    const endsAt = performance.now() + deadlineMs;
    let last: unknown = null;
    for (;;) {
      const found = await look().catch((error: unknown) => {
        last = error;
        return null;
      });
      if (found !== null) return found;
      if (performance.now() > endsAt)
        throw new Error(`${what}: not within ${deadlineMs} ms`, { cause: last });
      await delay(pollMs);
    }
  }

  /** All hosts are connected and all guests have booted. */
  async settled(): Promise<readonly VmView[]> {
    return await this.eventually('hosts and guests are well', async () => {
      const [views, vms] = await Promise.all([this.client.hosts(), this.client.vms()]);
      const isWell =
        views.filter(({ state }) => state === 'connected').length >= hosts.length &&
        vms.every(({ state, readyMs }) => state === 'running' && readyMs !== null);
      return isWell ? vms : null;
    });
  }

  /** Each of these guests on the host of its index. */
  async spread(names: readonly string[]): Promise<void> {
    await this.settled();
    for (const [index, name] of names.entries()) {
      const host = hosts[index % hosts.length] ?? 'h1';
      if ((await this.client.vm(name)).host !== host) await this.migrate(name, host);
    }
  }

  async migrate(name: string, host: string): Promise<OperationView> {
    const { operation } = await this.client.migrateVm(name, { host });
    if (operation === null) throw new Error(`${name} is on ${host} already`);
    return await awaitOperation(this.client, operation);
  }
}

/** At this process' very end, when only synchronous work is done. */
function takeDown(): void {
  const args = ['compose', '--project-name', project, 'down', '--volumes', '--timeout', '1'];
  execFileSync('docker', args, { cwd: root, env: environment, stdio: 'ignore' });
}
