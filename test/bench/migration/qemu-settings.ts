/**
 * QEMU's ways to migrate that ours is held against. All have the same downtime budget; but for its defaults none has a cap on
 * bandwidth. Source: QEMU 7.2, qapi/migration.json, MigrationParameter and MigrationCapability.
 */
import { downtimeBudgetMs } from './moving-guest.ts';

export interface QemuSetting {
  readonly name: string;
  readonly capabilities: readonly Capability[];
  readonly parameters: Readonly<Record<string, number>>;
}

/** Those that a setting has or has not; each is told either way, for a guest passes through several settings. */
export const capabilities = ['xbzrle', 'multifd', 'postcopy-ram', 'auto-converge'] as const;
export type Capability = (typeof capabilities)[number];

/** QEMU's own default, which it has since 5.2; it has no word for "none". */
const defaultBandwidthBytesPerS = 128 << 20;
const unlimitedBytesPerS = 2 ** 40;
/** Holds every page that any of the cells writes twice; QEMU's own 64 MiB is just too small for 64 MiB of them and a kernel. */
const xbzrleCacheBytes = 128 << 20;

const unlimited = { 'downtime-limit': downtimeBudgetMs, 'max-bandwidth': unlimitedBytesPerS };

export const qemuSettings: readonly QemuSetting[] = [
  {
    name: 'default',
    capabilities: [],
    parameters: { ...unlimited, 'max-bandwidth': defaultBandwidthBytesPerS },
  },
  { name: 'unlimited', capabilities: [], parameters: unlimited },
  {
    name: 'xbzrle',
    capabilities: ['xbzrle'],
    parameters: { ...unlimited, 'xbzrle-cache-size': xbzrleCacheBytes },
  },
  { name: 'multifd', capabilities: ['multifd'], parameters: unlimited },
  { name: 'post-copy', capabilities: ['postcopy-ram'], parameters: unlimited },
];

/** The setting for `sleeping`, where it is not the speed that counts. */
export const plainSetting: QemuSetting = { name: 'unlimited', capabilities: [], parameters: unlimited };

/** The same with the vCPU slowed down where rounds do not help. */
export function withAutoConverge(setting: QemuSetting): QemuSetting {
  return { ...setting, capabilities: [...setting.capabilities, 'auto-converge'] };
}
