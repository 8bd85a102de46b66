/** The host agent's process: `node main.ts --config FILE`. One JSON line on stdout says that it is registered. */
import { AgentConfig } from '@skein/shared';
import { runProgram } from '@skein/transport';
import { pino } from 'pino';
import { startAgent } from './agent.ts';
import { yieldToGuests } from './yield-to-guests.ts';

await runProgram(AgentConfig, async (config) => {
  // Synchronous: agents get killed on purpose, and their last words count.
  const log = pino(
    { name: `agent ${config.host ?? ''}`.trim(), level: config.logLevel },
    pino.destination({ fd: 2, sync: true }),
  );
  yieldToGuests();
  const agent = await startAgent(config, log, (error) => {
    log.fatal({ error: error.stack ?? String(error) }, 'a thread that every guest depends on died');
    process.exit(1);
  });
  const { name: host, capacity, addresses } = agent.identity;
  return { ready: { host, capacity, addresses }, close: () => agent.close() };
});
