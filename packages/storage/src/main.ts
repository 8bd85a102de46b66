/** The storage service's process: `node main.ts --config FILE`. One JSON line on stdout says that it is ready. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { MetricsEndpoint } from '@skein/metrics';
import { OperationError, StorageConfig } from '@skein/shared';
import { type Authentication, awaitTokenFile, runProgram } from '@skein/transport';
import { becomeMember } from '@skein/transport/certificates';
import { type Logger, pino } from 'pino';
import { LeaseService } from './lease/service.ts';
import { StorageMetrics } from './metrics/storage-metrics.ts';

await runProgram(StorageConfig, async (config) => {
  const log = pino({ name: 'storage', level: config.logLevel }, pino.destination({ fd: 2, sync: true }));
  const metrics = new StorageMetrics();
  const service = await LeaseService.start({
    stateDirectory: config.stateDirectory,
    address: config.address,
    port: config.port,
    bootId: randomBytes(16).toString('hex'),
    authentication: await authenticationOf(config, log),
    timing: config.timing,
    nowNs: () => process.hrtime.bigint(),
    // Dying is the answer: no reply leaves, and the next start reads what the disk holds.
    onFatal: (error) => {
      log.fatal({ err: error }, 'the lease log failed');
      process.exit(1);
    },
    onLinkEnded: ({ code, message }, { role, name }) => {
      if (code !== 'closed') log.info({ code, message, role, name }, 'link ended');
    },
    onRejected: (reason, address) => log.warn({ ...reason, address }, 'peer rejected'),
    onDecision: (request, outcome) => log.info({ ...request, outcome }, 'lease'),
    ...metrics.hooks,
  });
  metrics.read(service);
  const endpoint = await serveMetrics(config, metrics, log);
  const { address } = service;
  log.info({ address, port: service.port }, 'listening');
  return {
    ready: { address, port: service.port },
    close: async () => {
      await Promise.all([service.close(), endpoint?.close()]);
    },
  };
});

/** On the management network, for storage networks carry leases and disks; null where it is not asked for. */
async function serveMetrics(
  { metrics: config, managementAddress }: StorageConfig,
  metrics: StorageMetrics,
  log: Logger,
): Promise<MetricsEndpoint | null> {
  if (config === undefined || managementAddress === undefined) return null;
  return await MetricsEndpoint.open({
    address: managementAddress,
    port: config.port,
    token: await awaitTokenFile(config.tokenFile),
    source: metrics.registry,
    onFailed: (error) => log.error({ err: error }, 'the metrics could not be read'),
  });
}

/** @throws OperationError config.invalid, and what joining throws */
async function authenticationOf(config: StorageConfig, log: Logger): Promise<Authentication> {
  if (config.insecure) return { kind: 'none' };
  const { coordinator, managementAddress, joinTokenFile, stateDirectory } = config;
  if (coordinator === undefined) {
    const message = 'coordinator is missing: the storage service joins its cluster there';
    throw new OperationError({ code: 'config.invalid', message });
  }
  const { authentication } = await becomeMember({
    directory: join(stateDirectory, 'credentials'),
    subject: { kind: 'storage', name: 'storage' },
    coordinator: {
      address: coordinator.address,
      port: coordinator.joinPort,
      ...(managementAddress === undefined ? {} : { localAddress: managementAddress }),
    },
    ...(joinTokenFile === undefined ? {} : { tokenFile: joinTokenFile }),
    onEvent: (level, message) => log[level](message),
  });
  return authentication;
}
