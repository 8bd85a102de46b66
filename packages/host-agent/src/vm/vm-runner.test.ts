import { loadCore } from '@skein/machine';
import { Doorbell } from '@skein/network';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { VmControlBlock } from './control-block.ts';
import { SpareMachines } from './spare-machines.ts';
import type { VmEvent, VmOrigin } from './vm-channel.ts';
import { VmRunner } from './vm-runner.ts';

let machines: SpareMachines;

beforeEach(async () => {
  machines = new SpareMachines({
    core: await loadCore(),
    spareCount: 0,
    keptMax: 1,
    onTrouble: (reason) => expect.fail(reason),
  });
});

afterEach(() => machines.close());

/** Resolves with all that was heard of the VM when it has ended. */
async function ended(origin: VmOrigin): Promise<readonly VmEvent[]> {
  const core = await loadCore();
  const events: VmEvent[] = [];
  await new Promise<void>((resolve) => {
    const runner = new VmRunner({
      machines,
      core,
      memoryMib: 64,
      nics: [],
      control: new VmControlBlock(),
      switchDoorbell: Doorbell.create(),
      origin,
      onEvent: (event) => {
        events.push(event);
        if (event.type === 'ended') resolve();
      },
    });
    if (origin.kind === 'incoming') runner.stop();
  });
  return events;
}

const noKernel = {
  kind: 'boot',
  kernel: new Uint8Array(64),
  initrd: new Uint8Array(0),
  bootArguments: '',
  randomSeed: new Uint8Array(32),
  identity: null,
  template: null,
} as const;

describe('a VM worker', () => {
  it('serves one VM after another, if they end in good order', async () => {
    const take = vi.spyOn(machines, 'takeWorker');
    const giveBack = vi.spyOn(machines, 'giveBack');
    for (let count = 1; count <= 3; count++) {
      expect(await ended({ kind: 'incoming' })).toEqual([{ type: 'ended' }]);
      await vi.waitFor(() => expect(giveBack).toHaveBeenCalledTimes(count));
    }
    expect(take).toHaveBeenCalledTimes(3);
    expect(new Set(take.mock.results.map(({ value }) => value)).size).toBe(1);
  });

  it('ends with a VM that failed: the next one has another', async () => {
    const take = vi.spyOn(machines, 'takeWorker');
    const giveBack = vi.spyOn(machines, 'giveBack');
    const events = await ended(noKernel);
    expect(events.map(({ type }) => type)).toEqual(['failed', 'ended']);
    expect(await ended({ kind: 'incoming' })).toEqual([{ type: 'ended' }]);
    await vi.waitFor(() => expect(giveBack).toHaveBeenCalledTimes(1));
    const [first, second] = take.mock.results.map(({ value }) => value);
    expect(second).not.toBe(first);
    expect(giveBack).toHaveBeenCalledWith(second);
  });
});
