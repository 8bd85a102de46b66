import { randomBytes } from 'node:crypto';
import { loadCore, machineVersion } from '@skein/machine';
import { MigrationSettings } from '@skein/shared';
import { describe, expect, it } from 'vitest';
import { VmControlBlock } from '../vm/control-block.ts';
import { emptyHistory } from './guest-history.ts';
import { noLeases, rehearsedMib, rehearsedVm } from './rehearsal.ts';
import { SourceTransfer } from './source-transfer.ts';
import { TargetTransfer } from './target-transfer.ts';
import { type TransferEvent, transferTraffic } from './transfer-channel.ts';

const command = { operation: 'op-0000000000000001', vm: 'vm-0000000000000001', epoch: 1 } as const;
const cpu = { reservationMhz: 0, shares: 1 };
const machine = { memoryMib: rehearsedMib, image: '', nics: [], bootArguments: '', cpu };
const dayNs = 86_400_000_000_000n;
const passBy = (): void => {};

const ofOneHost = async () => ({
  host: 'h1',
  bootId: randomBytes(16).toString('hex'),
  authentication: { kind: 'none' as const },
  core: await loadCore(),
  memoryMib: rehearsedMib,
  machineVersion,
  migrationAddress: '127.0.0.1',
  storageAddress: '127.0.0.1',
  storage: { address: '127.0.0.1', port: 1 },
  traffic: transferTraffic().buffer,
});

describe('the source of a migration', () => {
  it('ends its copy’s right to run at the commit, and tells its host of it once, later, before the end', async () => {
    const common = await ofOneHost();
    const vm = rehearsedVm(common);
    const control = new VmControlBlock(vm.control);
    control.deadlineNs = process.hrtime.bigint() + dayNs;
    const seen: string[] = [];
    const see = (what: string): void => {
      seen.push(`${what}: ${control.isAllowed(process.hrtime.bigint()) ? 'may run' : 'may not run'}`);
    };
    const leases = {
      ...noLeases,
      pass: async () => {
        see('passing');
        return 2;
      },
    };
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const source = new SourceTransfer(
      {
        ...common,
        ...vm,
        role: 'source',
        command: { ...command, targetHost: 'h1', settings: MigrationSettings.parse({}) },
      },
      (event) => {
        if (event.type === 'listening') beginTarget(event);
        if (event.type === 'history-wanted') source.instruct({ type: 'history', history: emptyHistory });
        if (event.type === 'committed' || event.type === 'ended') see(event.type);
        if (event.type === 'ended') resolve();
      },
      leases,
      passBy,
    );
    const beginTarget = ({ address, port }: Extract<TransferEvent, { type: 'listening' }>): void => {
      const from = { sourceHost: 'h1', sourceAddress: address, sourcePort: port, deadlineMs: 5000 };
      const target = new TargetTransfer(
        {
          ...common,
          ...rehearsedVm(common),
          role: 'target',
          command: { ...command, ...from, name: 'web1', machine },
        },
        (event) => {
          if (event.type === 'committed') see('granted at the target');
        },
        noLeases,
        passBy,
      );
      void target.start();
    };
    await source.start();
    await ended;
    expect(seen).toEqual([
      'passing: may run',
      'granted at the target: may not run',
      'committed: may not run',
      'ended: may not run',
    ]);
  });
});
