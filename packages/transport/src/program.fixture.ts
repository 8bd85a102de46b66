/** A program for program.test.ts: says what configuration it was started with; well unless `isSick` is set. */
import { z } from 'zod';
import { runProgram } from './program.ts';

const Config = z.strictObject({
  name: z.string(),
  addresses: z.record(z.string(), z.string()).default({}),
  ports: z.array(z.int()).default([]),
  isSick: z.boolean().default(false),
});

await runProgram(Config, async (config) => {
  // As a listener does it in a real program: runs until it is told to end.
  const timer = setInterval(() => {}, 60_000);
  return {
    ready: { config },
    isHealthy: () => !config.isSick,
    close: async () => clearInterval(timer),
  };
});
