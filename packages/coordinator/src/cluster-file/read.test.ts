import { describe, expect, it } from 'vitest';
import { parseClusterFile } from './read.ts';

const problemsOf = (text: string): string[] => {
  try {
    parseClusterFile(text, 'cluster.yaml');
    return [];
  } catch (error) {
    return (error as Error).message.split('\n');
  }
};

describe('a cluster file', () => {
  it('declares VMs as the API takes them, with its defaults', () => {
    const text =
      'vms:\n  - name: web1\n    memoryMib: 256\n    nics: [{ segment: lan, address: 10.77.0.11/24 }]\n';
    expect(parseClusterFile(text, 'cluster.yaml').vms).toMatchObject([
      { name: 'web1', memoryMib: 256, restartPriority: 3, nics: [{ segment: 'lan' }] },
    ]);
    expect(parseClusterFile('', 'cluster.yaml')).toEqual({ segments: [], vms: [] });
  });

  it('names each unknown key and each wrong value by line and column', () => {
    const text = 'vms:\n  - name: web1\n    memory: 64GB\n    memoryMib: 9999\n  - name: Web_2\nhosts: 3\n';
    expect(problemsOf(text)).toEqual([
      expect.stringMatching(/^cluster\.yaml:4:16: vms\.0\.memoryMib: .*3072/),
      'cluster.yaml:3:5: vms.0.memory: there is no such key',
      expect.stringMatching(/^cluster\.yaml:5:11: vms\.1\.name: must be a DNS label/),
      'cluster.yaml:6:1: hosts: there is no such key',
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

  it('says where the text is no YAML', () => {
    expect(problemsOf('vms: [\n')[0]).toMatch(/^cluster\.yaml:2:1: /);
  });
});
