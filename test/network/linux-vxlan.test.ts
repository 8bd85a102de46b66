/** Interoperability with the kernel's own VXLAN: a real peer that we did not write. Needs user namespaces. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { LinuxVtepReport } from './linux-vtep.ts';

const program = fileURLToPath(new URL('./linux-vtep.ts', import.meta.url));

const needed = [
  'ip link add skein-probe type vxlan id 1 dstport 4789 local 127.0.0.1',
  'tc -Version',
  'bridge -Version',
  'nsenter --version',
  'bash --version',
].join(' && ');

/** Why this machine cannot run the test, or null. */
function missing(): string | null {
  const probe = spawnSync('unshare', ['-rn', '/bin/sh', '-ec', needed], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  if (probe.error !== undefined) return `unshare: ${probe.error.message}`;
  return probe.status === 0
    ? null
    : `network namespaces, vxlan, tc and bridge are needed: ${probe.stderr.trim()}`;
}

const reason = missing();

function meetKernel(): LinuxVtepReport {
  const options = { encoding: 'utf8', timeout: 60_000 } as const;
  const met = spawnSync('unshare', ['-rn', process.execPath, program], options);
  expect(met.stderr).toBe('');
  return JSON.parse(met.stdout) as LinuxVtepReport;
}

describe.skipIf(reason !== null)(
  `beside a Linux vxlan device${reason === null ? '' : ` (skipped: ${reason})`}`,
  () => {
    it('frames go both ways, announcements are learned, ownership and the output guard hold', () => {
      const report = meetKernel();
      expect(report.resolvedMac).toBe('52:54:00:00:00:02');
      expect(report.echoedBytes).toBe(1472);
      expect(report.datagram).toBe('hello');
      expect(report.announcedEntry).toContain('dst 10.90.0.1');
      expect(report.droppedAfterMove).toHaveProperty('not-owner');
      // What the kernel had taken before the lease ended, and the one packet beyond the guard, may go out; no more.
      expect(report.guard.sent + report.guard.dropped).toBe(report.guard.offered);
      expect(report.guard.dropped).toBeGreaterThan(report.guard.offered / 2);
    });
  },
);
