/** The coordinator's process: `node main.ts --config FILE`. One JSON line on stdout says that it is ready. */
import { CoordinatorConfig } from '@skein/shared';
import { ensureTokenFile, type RunningProgram, readTokenFile, runProgram } from '@skein/transport';
import { pino } from 'pino';
import { checkCoordinator, startCoordinator } from './coordinator.ts';

await runProgram(CoordinatorConfig, start, checkCoordinator);

async function start(config: CoordinatorConfig): Promise<RunningProgram> {
  const log = pino({ name: 'coordinator', level: config.logLevel }, pino.destination({ fd: 2, sync: true }));
  // Before anything is made: what is wrong with the configuration leaves no trace.
  await checkCoordinator(config);
  // At the first start; `skein up` has made it before.
  await ensureTokenFile(config.apiTokenFile);
  const apiToken = await readTokenFile(config.apiTokenFile);
  const { metricsTokenFile, dashboardPasswordFile } = config;
  if (dashboardPasswordFile !== undefined) await ensureTokenFile(dashboardPasswordFile);
  if (metricsTokenFile !== undefined) await ensureTokenFile(metricsTokenFile);
  const metricsToken = metricsTokenFile === undefined ? null : await readTokenFile(metricsTokenFile);
  const running = await startCoordinator({ config, apiToken, metricsToken, log });
  const { address, apiPort, agentPort, clientPort, joinPort, waiting, close } = running;
  const ready = { address, apiPort, agentPort, clientPort, joinPort };
  log.info(ready, 'listening');
  let told = '';
  const ailments = (): readonly string[] => {
    const reasons = waiting();
    // Whoever wonders why `docker compose up --wait` waits finds it in the log, once for each change.
    if (reasons.join() !== told) log.info({ reasons }, 'guests of the cluster file that are not ready');
    told = reasons.join();
    return reasons;
  };
  return { ready, ailments, close };
}
