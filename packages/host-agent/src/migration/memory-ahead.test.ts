import { describe, expect, it } from 'vitest';
import type { TransferCommand } from '../vm/vm-channel.ts';
import { MemoryAhead } from './memory-ahead.ts';

function heard(): { ahead: MemoryAhead; told: TransferCommand[] } {
  const told: TransferCommand[] = [];
  return { ahead: new MemoryAhead({ tell: (command) => told.push(command) }, { pages: 128 }), told };
}

describe('pages that a source says will come', () => {
  it('are told to the thread of the vCPU', () => {
    const { ahead, told } = heard();
    expect(ahead.learn(64, Uint8Array.of(1, 0, 0, 128, 0, 0, 0, 1))).toBe(null);
    expect(told).toEqual([
      { type: 'allocate-ahead', firstPage: 64, pages: Uint32Array.of(0x8000_0001, 0x0100_0000) },
    ]);
  });

  it.each([128, 96, 0xffff_ffe0])('are refused where the guest has none, from page %i on', (firstPage) => {
    const { ahead, told } = heard();
    expect(ahead.learn(firstPage, new Uint8Array(8))).toMatch(/that the guest does not have/);
    expect(told).toEqual([]);
  });

  it('are refused a second time', () => {
    const { ahead, told } = heard();
    expect(ahead.learn(32, new Uint8Array(4))).toBe(null);
    expect(ahead.learn(32, new Uint8Array(4))).toMatch(/pages from 32 on are said to come a second time/);
    expect(ahead.learn(0, new Uint8Array(4))).toMatch(/a second time/);
    expect(told).toHaveLength(1);
  });
});
