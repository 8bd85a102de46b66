/** One live migration between two QEMU processes of this host, driven and measured through QMP events. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Moved, migrationDeadlineMs } from './moving-guest.ts';
import type { QemuMachine } from './qemu-machine.ts';
import { capabilities, type QemuSetting } from './qemu-settings.ts';

/** What the bench reads of `query-migrate`: QEMU, qapi/migration.json, MigrationInfo. */
interface MigrationInfo {
  readonly 'total-time'?: number;
  readonly downtime?: number;
  readonly 'error-desc'?: string;
  readonly ram?: { readonly transferred: number; readonly 'dirty-sync-count': number };
  readonly 'cpu-throttle-percentage'?: number;
  /** Of a target that listens. */
  readonly 'socket-address'?: readonly { readonly port: string }[];
}

/** The first pass has sent everything once: from the second on the rest can be fetched. */
const postCopyPass = 2;
const cancelDeadlineMs = 10_000;
const infoDeadlineMs = 2000;
const infoPauseMs = 2;
const finalStates = ['completed', 'failed', 'cancelled'] as const;
type FinalState = (typeof finalStates)[number];

/** The target waits for its source on loopback; returns where. */
export async function listenForSource({ qmp }: QemuMachine, setting: QemuSetting): Promise<string> {
  await configure({ qmp }, setting);
  await qmp.execute('migrate-incoming', { uri: 'tcp:127.0.0.1:0' });
  const port = (await askInfo({ qmp }))['socket-address']?.[0]?.port;
  if (port === undefined) throw new Error('QEMU does not say where it listens for its source');
  return `tcp:127.0.0.1:${port}`;
}

export async function configure({ qmp }: Pick<QemuMachine, 'qmp'>, setting: QemuSetting): Promise<void> {
  const states = capabilities.map((capability) => ({
    capability,
    state: setting.capabilities.includes(capability),
  }));
  await qmp.execute('migrate-set-capabilities', {
    capabilities: [...states, { capability: 'events', state: true }],
  });
  await qmp.execute('migrate-set-parameters', setting.parameters);
}

async function askInfo({ qmp }: Pick<QemuMachine, 'qmp'>): Promise<MigrationInfo> {
  return (await qmp.execute('query-migrate')) as MigrationInfo;
}

/** QEMU tells the end a moment before it has computed how long all took. */
async function askFinalInfo(source: QemuMachine, state: FinalState): Promise<MigrationInfo> {
  const endsAtMs = performance.now() + infoDeadlineMs;
  for (;;) {
    const info = await askInfo(source);
    if (state !== 'completed' || (info['total-time'] ?? 0) > 0) return info;
    if (performance.now() > endsAtMs) throw new Error('QEMU does not say how long its migration took');
    await delay(infoPauseMs);
  }
}

/** Both are configured. One that does not end by the deadline is cancelled: it did not converge. */
export async function migrateQemu(
  source: QemuMachine,
  target: QemuMachine,
  uri: string,
  setting: QemuSetting,
): Promise<Moved> {
  const { qmp } = source;
  const end = watch(source, setting);
  const throttle = watchThrottle(source, setting);
  try {
    const cpuBeforeS = source.cpuSeconds() + target.cpuSeconds();
    const fromMs = performance.now();
    await qmp.execute('migrate', { uri });
    let ended = await end.within(migrationDeadlineMs);
    if (ended === null) {
      // Without effect if it has ended just now.
      await qmp.execute('migrate_cancel').catch(() => {});
      ended = await end.within(cancelDeadlineMs);
    }
    if (ended === null) throw new Error('QEMU did not cancel its migration');
    const info = await askFinalInfo(source, ended.state);
    if (ended.state === 'failed') throw new Error(`QEMU: ${info['error-desc'] ?? 'the migration failed'}`);
    const isCompleted = ended.state === 'completed';
    return {
      window: { fromMs, toMs: ended.atMs },
      totalMs: info['total-time'] ?? 0,
      downtimeMs: downtimeOf(info),
      bytes: info.ram?.transferred ?? 0,
      // A target whose migration was called off is gone.
      cpuS: isCompleted ? source.cpuSeconds() + target.cpuSeconds() - cpuBeforeS : 0,
      throttlePercentMax: throttle.percentMax(),
      isConverged: isCompleted,
      hasMoved: isCompleted,
      remark: `${info.ram?.['dirty-sync-count'] ?? 0} passes${end.hasFetched() ? ', post-copy' : ''}`,
    };
  } finally {
    end.stop();
    throttle.stop();
  }
}

/**
 * A downtime that rounds to 0 ms is one that QEMU 7.2 takes as not measured, and computes from a moment that post-copy does not
 * note: the time since the machine's boot (migration/migration.c, migration_calculate_complete).
 */
function downtimeOf({ downtime = 0, 'total-time': totalMs = 0 }: MigrationInfo): number {
  return downtime > totalMs ? 0 : downtime;
}

/** Its end by QEMU's events, and the switch to post-copy after the first pass. */
function watch({ qmp }: QemuMachine, setting: QemuSetting) {
  const ended = Promise.withResolvers<{ readonly state: FinalState; readonly atMs: number }>();
  let hasFetched = false;
  const stop = qmp.onEvent(({ event, data }) => {
    if (event === 'MIGRATION') {
      const state = finalStates.find((final) => final === data.status);
      if (state !== undefined) ended.resolve({ state, atMs: performance.now() });
      if (data.status === 'postcopy-active') hasFetched = true;
    }
    if (event !== 'MIGRATION_PASS' || data.pass !== postCopyPass) return;
    // Refused when the second pass was the last one already.
    if (setting.capabilities.includes('postcopy-ram')) qmp.execute('migrate-start-postcopy').catch(() => {});
  });
  const within = async (ms: number): Promise<Awaited<typeof ended.promise> | null> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), ms);
    });
    return await Promise.race([ended.promise, late]).finally(() => clearTimeout(timer));
  };
  return { within, stop, hasFetched: () => hasFetched };
}

const throttleLookMs = 100;

/** QEMU forgets how far it slowed the vCPU down when a migration ends: it is asked meanwhile. */
function watchThrottle({ qmp }: QemuMachine, setting: QemuSetting) {
  let percentMax = 0;
  const look = async (): Promise<void> => {
    const info = await askInfo({ qmp }).catch(() => null);
    percentMax = Math.max(percentMax, info?.['cpu-throttle-percentage'] ?? 0);
  };
  const isThrottled = setting.capabilities.includes('auto-converge');
  const timer = isThrottled ? setInterval(() => void look(), throttleLookMs) : undefined;
  return {
    stop: () => clearInterval(timer),
    percentMax: () => percentMax,
  };
}
