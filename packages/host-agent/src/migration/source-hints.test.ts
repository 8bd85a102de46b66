import { type CoreModules, createMachineMemory, loadCore, MachineMemory } from '@skein/machine';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TransferCommand } from '../vm/vm-channel.ts';
import { PageReceiver } from './page-receiver.ts';
import { SourceHints } from './source-hints.ts';

const memoryMib = 64;
let core: CoreModules;
/** What was told to the vCPU's thread, and what was held against the source. */
let told: TransferCommand['type'][];
let breaches: string[];
let areDue: boolean | null;
let hints: SourceHints;

beforeAll(async () => {
  core = await loadCore();
});

beforeEach(() => {
  told = [];
  breaches = [];
  areDue = true;
  const memory = new MachineMemory(core, createMachineMemory(core, memoryMib), memoryMib);
  hints = new SourceHints({
    vm: {
      tell: ({ type }) => told.push(type),
      ask: ({ type }) => {
        told.push(type);
        return new Promise(() => {});
      },
    },
    memory,
    receiver: new PageReceiver(core, memory),
    breach: { byNotice: (code) => breaches.push(code) },
    areDue: () => areDue,
  });
});

const page = new Uint8Array(4).fill(1);

describe('the hints of a source', () => {
  it('are passed on while they are due', () => {
    hints.hearUsedCode(new Uint8Array(264));
    hints.hearComing(0, page);
    hints.hearComing(32, page);
    expect(told).toEqual(['decode-ahead', 'allocate-ahead', 'allocate-ahead']);
    expect(breaches).toEqual([]);
  });

  it('are held against it where they are not, and not passed on', () => {
    areDue = false;
    hints.hearUsedCode(new Uint8Array(264));
    hints.hearComing(0, page);
    hints.pagesCame();
    expect(told).toEqual([]);
    expect(breaches).toEqual(['migration.out-of-turn', 'migration.out-of-turn']);
  });

  it('are an echo when the migration is over', () => {
    areDue = null;
    hints.hearUsedCode(new Uint8Array(264));
    hints.hearComing(0, page);
    hints.pagesCame();
    expect([...told, ...breaches]).toEqual([]);
  });

  it('are held against it where they cannot be', () => {
    hints.hearComing(memoryMib * 256, page);
    hints.hearUsedCode(new Uint8Array(264));
    hints.hearUsedCode(new Uint8Array(264));
    expect(breaches).toEqual(['migration.pages-invalid', 'migration.out-of-turn']);
    expect(told).toEqual(['decode-ahead']);
  });
});
