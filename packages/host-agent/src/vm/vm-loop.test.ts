import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { createMachineMemory, dirtyConsumers, loadCore, type Machine, MachineMemory } from '@skein/machine';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { VmControlBlock } from './control-block.ts';
import { loadRehearsedProgram, rehearsedVm } from './rehearsal.ts';
import type { TransferCommand, TransferReply, VmCommand, VmEvent } from './vm-channel.ts';
import { VmLoop } from './vm-loop.ts';
import type { VmOutputs } from './vm-outputs.ts';

const withoutDeadline = 2n ** 63n - 1n;
/** Of the guest that says two hundred lines and powers off. */
const memoryMib = 64;

let main: MessagePort;
let transfer: MessagePort;
let heard: string[];
/** Called with each of the guest's words. */
let onConsole: () => void;
let machine: Machine;
let control: VmControlBlock;
let outputs: VmOutputs;
let memory: MachineMemory;
let vmPort: MessagePort;

beforeEach(async () => {
  const core = await loadCore();
  const wasm = createMachineMemory(core, memoryMib);
  heard = [];
  onConsole = () => {};
  ({ machine, control, outputs } = rehearsedVm(core, hear, wasm));
  memory = new MachineMemory(core, wasm, memoryMib);
  loadRehearsedProgram(machine);
  control.deadlineNs = withoutDeadline;
  control.budgetStepsPerMs = 1_000_000;
  const [toMain, toTransfer] = [new MessageChannel(), new MessageChannel()];
  [main, vmPort, transfer] = [toMain.port1, toMain.port2, toTransfer.port1];
  command({ type: 'attach-transfer', port: toTransfer.port2 }, [toTransfer.port2]);
});

function hear(event: VmEvent): void {
  heard.push(event.type);
  if (event.type === 'console') onConsole();
}

function command(message: VmCommand, ports: MessagePort[] = []): void {
  main.postMessage(message, ports);
  memory.poke();
}

function ask(message: TransferCommand): void {
  transfer.postMessage(message);
  memory.poke();
}

function loopOf(isIncoming: boolean): VmLoop {
  const now = { guestTicks: machine.guestTimeTicks(), hostNs: process.hrtime.bigint() };
  return new VmLoop({
    machine,
    memory,
    control,
    outputs,
    port: vmPort,
    clock: isIncoming ? null : now,
    migrationConsumers: dirtyConsumers.migration,
    introduction: null,
  });
}

const clock = () => ({ guestTicks: machine.guestTimeTicks(), hostNs: process.hrtime.bigint() });

/** What the transfer worker heard. */
function replies(): TransferReply[] {
  const all: TransferReply[] = [];
  for (let next = receiveMessageOnPort(transfer); next !== undefined; next = receiveMessageOnPort(transfer))
    all.push(next.message as TransferReply);
  return all;
}

const types = (messages: readonly { readonly type: string }[]): string[] => messages.map(({ type }) => type);

describe('a vCPU that is asked to stop for a migration', () => {
  it('goes on if it is asked to before it stood, and has answered both', () => {
    ask({ type: 'suspend' });
    ask({ type: 'resume' });
    loopOf(false).run();
    expect(types(replies())).toEqual(['suspended', 'resumed']);
    expect(outputs.hasEnded).toBe(true);
  });

  it('says that there is none any more when its guest has ended meanwhile', () => {
    onConsole = () => {
      onConsole = () => {};
      ask({ type: 'suspend' });
      command({ type: 'stop' });
    };
    loopOf(false).run();
    expect(types(replies())).toEqual(['failed']);
  });
});

describe('a vCPU whose machine fails while it is asked to stop', () => {
  it('says so to who has asked, before it fails', () => {
    onConsole = () => {
      onConsole = () => {};
      ask({ type: 'suspend' });
      vi.spyOn(machine, 'apply').mockImplementationOnce(() => {
        throw new Error('broken');
      });
    };
    expect(() => loopOf(false).run()).toThrow('broken');
    expect(types(replies())).toEqual(['failed']);
  });
});

describe('a guest that has a head start', () => {
  beforeEach(() => ask({ type: 'head-start', clock: clock() }));

  it('says something before it is let go, and is counted and powers off behind that', () => {
    const atFirstWords: unknown[] = [];
    onConsole = () => {
      onConsole = () => {};
      atFirstWords.push(control.steps, control.executedSteps, outputs.hasEnded);
      ask({ type: 'activate', clock: clock() });
    };
    loopOf(true).run();
    expect(atFirstWords).toEqual([0n, 0n, false]);
    const [activated] = replies();
    if (activated?.type !== 'activated') throw new Error(`not activated: ${activated?.type}`);
    expect(activated.ahead.headStartSteps).toBeGreaterThan(0);
    expect(control.steps).toBe(machine.steps);
    expect(control.executedSteps).toBe(machine.steps);
    expect(heard.at(-1)).toBe('power');
  });

  it('ends if it is stopped, let go or not', () => {
    onConsole = () => {
      onConsole = () => {};
      command({ type: 'stop' });
      ask({ type: 'activate', clock: clock() });
    };
    loopOf(true).run();
    expect(heard).not.toContain('power');
    expect(types(replies())).toEqual(['activated']);
  });

  it('fails in it when it is let go, not before', () => {
    vi.spyOn(machine, 'run').mockImplementationOnce(() => {
      ask({ type: 'activate', clock: clock() });
      throw new Error('broken');
    });
    expect(() => loopOf(true).run()).toThrow('broken');
    expect(types(replies())).toEqual(['activated']);
  });
});
