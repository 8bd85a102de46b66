/** The storage service's process: `node main.ts --config FILE`. One JSON line on stdout says that it is ready. */
import { randomBytes } from 'node:crypto';
import { StorageConfig } from '@skein/shared';
import { awaitTokenFile, runProgram } from '@skein/transport';
import { pino } from 'pino';
import { LeaseService } from './lease/service.ts';

await runProgram(StorageConfig, async (config) => {
  const log = pino({ name: 'storage', level: config.logLevel }, pino.destination({ fd: 2, sync: true }));
  const service = await LeaseService.start({
    stateDirectory: config.stateDirectory,
    address: config.address,
    port: config.port,
    bootId: randomBytes(16).toString('hex'),
    authentication: { kind: 'token', token: await awaitTokenFile(config.clusterTokenFile) },
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
  });
  const { address } = service;
  log.info({ address, port: service.port }, 'listening');
  return {
    ready: { address, port: service.port },
    close: () => service.close(),
  };
});
