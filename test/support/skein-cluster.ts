/**
 * A cluster as a person at a shell has it, wherever its hosts run: all that a test does and sees goes through the
 * commands of `skein`, which finds the cluster by its environment.
 */
import { execFile, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import type { ClusterEvent, HostView, OperationView, VmView } from '@skein/shared';
import { eventually } from './eventually.ts';
import { GuestShell } from './guest-shell.ts';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');
const main = 'packages/cli/src/main.ts';
const commandDeadlineMs = 120_000;

export class SkeinCluster {
  readonly environment: NodeJS.ProcessEnv;
  readonly #wordsBefore: readonly string[];
  readonly #shells = new Map<string, GuestShell>();

  /**
   * `variables`: what makes `skein` mean this cluster. `wordsBefore`: what stands before `node` in a command line, such as
   * setpriv(1) for one who has fewer rights.
   */
  constructor(variables: NodeJS.ProcessEnv, wordsBefore: readonly string[] = []) {
    this.environment = { ...process.env, ...variables };
    this.#wordsBefore = wordsBefore;
  }

  /** Runs `skein`, answers its standard output; rejects with what it said if it fails. */
  async skein(...args: string[]): Promise<string> {
    const options = { cwd: root, env: this.environment, timeout: commandDeadlineMs, maxBuffer: 64 << 20 };
    const [program = '', ...words] = [...this.#wordsBefore, process.execPath, main, ...args];
    return (await run(program, words, options)).stdout;
  }

  readonly hosts = (): Promise<HostView[]> => this.#list('host');
  readonly vms = (): Promise<VmView[]> => this.#list('vm');
  readonly events = (): Promise<ClusterEvent[]> => this.#list('event');
  readonly operations = (): Promise<OperationView[]> => this.#list('operation');

  async vm(name: string): Promise<VmView> {
    const found = (await this.vms()).find((vm) => vm.name === name);
    if (found === undefined) throw new Error(`no VM ${name}`);
    return found;
  }

  async host(name: string): Promise<HostView> {
    const found = (await this.hosts()).find((host) => host.name === name);
    if (found === undefined) throw new Error(`no host ${name}`);
    return found;
  }

  /** Where the VM is, running and booted. */
  async placeOf(name: string): Promise<{ readonly host: string; readonly epoch: number }> {
    return await eventually(`${name} runs`, async () => {
      const { state, host, epoch, readyMs } = await this.vm(name);
      if (state !== 'running' || host === null || epoch === null || readyMs === null) return false;
      return { host, epoch };
    });
  }

  async connected(): Promise<void> {
    await eventually('all hosts are connected', async () =>
      (await this.hosts()).every(({ state }) => state === 'connected'),
    );
  }

  /** The guest's shell on its console; a new one once the old console was lost. */
  shell(vm: string): GuestShell {
    const known = this.#shells.get(vm);
    if (known?.isOpen === true) return known;
    const child = spawn(process.execPath, [main, 'vm', 'console', vm], { cwd: root, env: this.environment });
    const shell = new GuestShell(vm, child);
    this.#shells.set(vm, shell);
    return shell;
  }

  closeShells(): void {
    for (const shell of this.#shells.values()) shell.close();
  }

  async #list<T>(kind: string): Promise<T[]> {
    return JSON.parse(await this.skein('get', kind, '--output', 'json')) as T[];
  }
}
