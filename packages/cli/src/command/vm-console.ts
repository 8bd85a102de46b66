/** `skein vm console NAME`: a VM's console on this terminal. It stays attached while the VM moves. */
import { setTimeout as sleep } from 'node:timers/promises';
import { OperationError, type VmView } from '@skein/shared';
import type { Command } from 'commander';
import { ApiClient } from '../client/api-client.ts';
import { ConsoleLink } from '../client/console-link.ts';
import { selectOne } from '../client/selection.ts';
import { Interrupted } from '../failure.ts';
import { vmPresentation } from '../output/presentations.ts';
import { ConsoleTerminal } from '../terminal/console-terminal.ts';
import { accessOf } from './shared-options.ts';

/**
 * After the end of piped input the guest's answer is awaited until it has been silent for so long: more than the
 * second between two lines of `ping`. What takes longer needs --follow.
 */
const silenceMs = 3000;

export function addConsoleCommand(vm: Command): void {
  vm.command('console <name>')
    .description('talk to a VM on its console; Ctrl-] leaves, the VM runs on')
    .option('--follow', 'stay when piped input has ended (default: leave when the guest falls silent)')
    .action(attach);
}

type Leaving = 'key' | 'signal' | 'silence' | 'closed';

async function attach(name: string, options: { readonly follow?: boolean }, command: Command): Promise<void> {
  const access = await accessOf(command);
  const client = new ApiClient(access);
  const [cluster, vms] = await Promise.all([client.cluster(), client.vms()]);
  const vm = selectOne({ kind: 'vm', nameOf: vmPresentation.nameOf, items: vms }, name);
  refuseWithoutConsole(vm, process.stdin.isTTY === true || options.follow === true);
  let terminal: ConsoleTerminal | null = null;
  let lastOutputMs = performance.now();
  const link = await ConsoleLink.attach(access, cluster, vm.name, {
    onOutput: (bytes) => {
      lastOutputMs = performance.now();
      process.stdout.write(bytes);
    },
    onMarker: (text) => terminal?.remark(text),
  });
  try {
    const leaving = await new Promise<Leaving>((resolve) => {
      terminal = new ConsoleTerminal({
        onInput: (bytes) => link.type(bytes),
        onLeave: resolve,
        onInputEnd: () => {
          if (options.follow !== true) void silence(() => lastOutputMs).then(() => resolve('silence'));
        },
      });
      if (terminal.isInteractive) terminal.remark(`console of ${vm.name}; Ctrl-] leaves`);
      void link.closed.then(() => resolve('closed'));
    });
    if (leaving === 'closed') await explainClosed(vm.name, link);
    if (leaving === 'signal') throw new Interrupted(`left the console; ${vm.name} runs on`);
    if (leaving === 'key') (terminal as ConsoleTerminal | null)?.remark(`left; ${vm.name} runs on`);
  } finally {
    link.close();
    await (terminal as ConsoleTerminal | null)?.close();
  }
}

/** A VM that waits has a console as soon as it runs: for those who stay, by eye or with --follow. */
function refuseWithoutConsole({ name, state, reason }: VmView, isStaying: boolean): void {
  if (state === 'running' || state === 'migrating' || state === 'starting') return;
  const what = `${name} is ${state}${reason === null ? '' : ` (${reason})`}`;
  const isOver = state === 'stopped' || state === 'failed';
  if (!isOver && (isStaying || state !== 'waiting')) {
    process.stderr.write(`[${what}]\n`);
    return;
  }
  const advice = isOver ? 'start it first' : 'it can be waited for with --follow';
  const message = `${what}: it has no console; ${advice}`;
  throw new OperationError({ code: 'vm.wrong-state', message });
}

async function silence(lastOutputMs: () => number): Promise<void> {
  const endedMs = performance.now();
  for (;;) {
    const leftMs = Math.max(endedMs, lastOutputMs()) + silenceMs - performance.now();
    if (leftMs <= 0) return;
    await sleep(leftMs);
  }
}

async function explainClosed(vm: string, link: ConsoleLink): Promise<never> {
  const { message } = await link.closed;
  throw new OperationError({ code: 'link.closed', message: `the console of ${vm} was closed: ${message}` });
}
