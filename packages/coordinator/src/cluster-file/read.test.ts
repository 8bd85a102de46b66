import { describe, expect, it } from 'vitest';
import type { Limits } from './feasibility.ts';
import { parseClusterFile } from './read.ts';

const limits: Limits = {
  segments: [{ name: 'lan', vni: 77, network: 'guest-a' }],
  largestHost: { memoryMib: 1024, cpuMhz: 500 },
  memoryMibMinOf: (image) => (image === undefined ? 96 : null),
};

const problemsOf = (text: string): string[] => {
  try {
    parseClusterFile(text, 'cluster.yaml', limits);
    return [];
  } catch (error) {
    return (error as Error).message.split('\n');
  }
};

describe('a cluster file', () => {
  it('declares VMs as the API takes them, with its defaults', () => {
    const text =
      'vms:\n  - name: web1\n    memoryMib: 256\n    nics: [{ segment: lan, address: 10.77.0.11/24 }]\n';
    expect(parseClusterFile(text, 'cluster.yaml', limits).vms).toMatchObject([
      { name: 'web1', memoryMib: 256, restartPriority: 3, nics: [{ segment: 'lan' }] },
    ]);
    expect(parseClusterFile('', 'cluster.yaml', limits)).toEqual({ segments: [], vms: [] });
  });

  it('says how many migrations run at a time, or leaves that to the configuration', () => {
    expect(parseClusterFile('migrationsPerHostMax: 1\n', 'cluster.yaml', limits)).toEqual({
      segments: [],
      vms: [],
      migrationsPerHostMax: 1,
    });
    expect(problemsOf('migrationsPerClusterMax: 0\n')).toEqual([
      expect.stringMatching(/^cluster\.yaml:1:26: migrationsPerClusterMax: /),
    ]);
  });

  it('names each unknown key and each wrong value by line and column', () => {
    const text = 'vms:\n  - name: web1\n    memory: 64GB\n    memoryMib: 9999\n  - name: Web_2\nhosts: 3\n';
    expect(problemsOf(text)).toEqual([
      'cluster.yaml:4:16: vms.0.memoryMib: must be a whole number of MiB from 64 to 3072',
      'cluster.yaml:3:5: vms.0.memory: there is no such key; keys here: name, memoryMib, image, nics, bootArguments, cpu, restartPriority, host',
      expect.stringMatching(/^cluster\.yaml:5:11: vms\.1\.name: must be a DNS label/),
      'cluster.yaml:6:1: hosts: there is no such key; keys here: segments, vms, migrationsPerHostMax, migrationsPerClusterMax',
    ]);
  });

  it('refuses two VMs of one name or one address, and a limit below the reservation', () => {
    const text = `vms:
  - { name: a, nics: [{ segment: lan, address: 10.0.0.1/24 }] }
  - { name: a }
  - { name: b, nics: [{ segment: lan, address: 10.0.0.1/8 }], cpu: { reservationMhz: 50, limitMhz: 40 } }
`;
    expect(problemsOf(text)).toEqual([
      'cluster.yaml:3:13: vms.1.name: there is a VM a already, the 1. of this list',
      'cluster.yaml:4:100: vms.2.cpu.limitMhz: must not be below the reservation of 50 MHz',
      'cluster.yaml:4:48: vms.2.nics.0.address: a has this address on lan already',
    ]);
  });

  it('says which keys there are in what a key holds', () => {
    expect(problemsOf('vms: [{ name: a, nics: [{ segment: lan, adress: x }], cpu: { mhz: 3 } }]\n')).toEqual([
      'cluster.yaml:1:41: vms.0.nics.0.adress: there is no such key; keys here: segment, address',
      'cluster.yaml:1:62: vms.0.cpu.mhz: there is no such key; keys here: reservationMhz, limitMhz, shares',
    ]);
  });

  it('refuses VMs that no host can ever run, at the value that stands in the way', () => {
    const text = `vms:
  - { name: a, memoryMib: 2048 }
  - { name: b, cpu: { reservationMhz: 501 } }
  - { name: c, nics: [{ segment: lan }, { segment: wan }] }
  - { name: d, memoryMib: 64 }
  - { name: e, memoryMib: 64, image: ${'a'.repeat(64)} }
`;
    expect(problemsOf(text)).toEqual([
      'cluster.yaml:2:27: vms.0.memoryMib: 2048 MiB are more than any host has: at most 1024',
      'cluster.yaml:3:39: vms.1.cpu.reservationMhz: 501 MHz are more than any host has: at most 500',
      'cluster.yaml:4:52: vms.2.nics.1.segment: there is no segment wan; segments: lan',
      'cluster.yaml:5:27: vms.3.memoryMib: its image does not boot in 64 MiB: at least 96',
    ]);
  });

  it('refuses a segment whose name or number is another one’s', () => {
    const text = `segments:
  - { name: lan, vni: 5, network: guest-b }
  - { name: wan, vni: 5, network: guest-b }
`;
    expect(problemsOf(text)).toEqual([
      'cluster.yaml:2:13: segments.0.name: another segment has the name lan',
      'cluster.yaml:3:23: segments.1.vni: another segment has the vni 5',
    ]);
  });

  it('refuses addresses that no guest can have', () => {
    const problemOf = (address: string) =>
      problemsOf(`vms: [{ name: a, nics: [{ segment: lan, address: ${address} }] }]`)[0];
    expect(problemOf('10.77.0.0/24')).toMatch(/names the network 10\.77\.0\.0\/24 itself/);
    expect(problemOf('10.77.0.255/24')).toMatch(/is the broadcast address/);
    expect(problemOf('10.77.1.0/23')).toBeUndefined();
    expect(problemOf('224.0.0.5/24')).toMatch(/cannot be a guest's/);
    expect(problemOf('127.0.0.5/24')).toMatch(/cannot be a guest's/);
    expect(problemOf('10.77.0.1/31')).toMatch(/prefix length of 1 to 30/);
  });

  it('says where the text is no YAML', () => {
    expect(problemsOf('vms: [\n')[0]).toMatch(/^cluster\.yaml:2:1: /);
  });
});
