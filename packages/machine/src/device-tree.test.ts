import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeBoard } from './device-tree.ts';
import { readDeviceTree } from './devices/test-support/read-device-tree.ts';
import { cells, flattenDeviceTree, strings, wideCells } from './flattened-device-tree.ts';

function isInstalled(program: string): boolean {
  return spawnSync(program, ['--version']).status === 0;
}

const board = describeBoard({
  memoryMib: 256,
  bootArguments: 'console=ttyS0 panic=-1',
  initrd: { start: 0x8f00_0000, end: 0x8f12_3456 },
  rngSeed: new Uint8Array(32).fill(7),
});

describe('a flattened device tree', () => {
  it('reads back as it was written, property names shared', () => {
    const blob = flattenDeviceTree(
      {
        name: '',
        properties: { a: cells(1, 0xffff_ffff), empty: new Uint8Array(0) },
        children: [{ name: 'child@1', properties: { a: strings('x', 'yz') }, children: [] }],
      },
      [{ address: 0x1_8000_0000, sizeBytes: 4096 }],
    );
    expect(new DataView(blob.buffer).getUint32(4)).toBe(blob.length);
    const tree = readDeviceTree(blob);
    expect([...tree.nodes.keys()]).toEqual(['/', '/child@1']);
    expect([...(tree.nodes.get('/')?.get('a') ?? [])]).toEqual([0, 0, 0, 1, 255, 255, 255, 255]);
    expect(tree.nodes.get('/')?.get('empty')).toHaveLength(0);
    expect(new TextDecoder().decode(tree.nodes.get('/child@1')?.get('a'))).toBe('x\0yz\0');
    expect(tree.reservations).toEqual([[0x1_8000_0000n, 4096n]]);
  });

  it('writes addresses above 4 GiB as two cells', () => {
    expect([...wideCells(0x1_2345_6789)]).toEqual([0, 0, 0, 1, 0x23, 0x45, 0x67, 0x89]);
  });
});

describe('the board description', () => {
  it('tells the kernel its memory, command line, RAM disk and seed', () => {
    const { nodes } = readDeviceTree(board);
    const chosen = nodes.get('/chosen');
    expect(new TextDecoder().decode(chosen?.get('bootargs'))).toBe('console=ttyS0 panic=-1\0');
    expect(chosen?.get('linux,initrd-start')).toEqual(wideCells(0x8f00_0000));
    expect(chosen?.get('linux,initrd-end')).toEqual(wideCells(0x8f12_3456));
    expect(chosen?.get('rng-seed')).toHaveLength(32);
    expect(nodes.get('/memory@80000000')?.get('reg')).toEqual(wideCells(0x8000_0000, 256 * 2 ** 20));
    expect(new TextDecoder().decode(nodes.get('/cpus/cpu@0')?.get('riscv,isa'))).toBe(
      'rv64imafdc_zicntr_zicsr_zifencei_zba_zbb_zbs_sstc\0',
    );
  });

  it('leaves out what it was not given', () => {
    const { nodes } = readDeviceTree(describeBoard({ memoryMib: 3072, bootArguments: '' }));
    expect([...(nodes.get('/chosen')?.keys() ?? [])]).toEqual(['bootargs', 'stdout-path']);
    expect(nodes.get('/memory@80000000')?.get('reg')).toEqual(wideCells(0x8000_0000, 0xc000_0000));
  });

  it.skipIf(!isInstalled('dtc'))('has nothing that dtc warns of', () => {
    const quiet = ['-W', 'no-unit_address_vs_reg'];
    const result = spawnSync('dtc', ['-I', 'dtb', '-O', 'dts', ...quiet], { input: board, encoding: 'utf8' });
    expect(result.stderr).toBe('');
    expect(result.status).toBe(0);
    expect(result.stdout).toContain('compatible = "ns16550a";');
  });

  it.skipIf(!isInstalled('qemu-system-riscv64'))('agrees with QEMU on what both boards have', () => {
    const folder = mkdtempSync(join(tmpdir(), 'skein-dtb-'));
    try {
      const file = join(folder, 'virt.dtb');
      const run = spawnSync('qemu-system-riscv64', [
        '-M',
        `virt,dumpdtb=${file}`,
        '-m',
        '256',
        '-display',
        'none',
      ]);
      expect(run.status).toBe(0);
      const theirs = readDeviceTree(readFileSync(file)).nodes;
      const shared = [...readDeviceTree(board).nodes].filter(([path]) => path !== '/' && path !== '/chosen');
      for (const [path, properties] of shared) {
        // The machine differs in its hart's extensions and paging mode, which QEMU makes up to its own CPU model.
        for (const name of ['compatible', 'reg', 'interrupts', 'interrupts-extended', 'value', 'offset']) {
          expect([path, name, theirs.get(path)?.get(name)?.join()]).toEqual([
            path,
            name,
            properties.get(name)?.join(),
          ]);
        }
      }
      expect(shared.length).toBeGreaterThan(20);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
