/** A program for program.test.ts: says what configuration it was started with; well unless `isSick` is set. */
import { OperationError } from '@skein/shared';
import { z } from 'zod';
import { type RunningProgram, runProgram } from './program.ts';

const Config = z.strictObject({
  name: z.string(),
  addresses: z.record(z.string(), z.string()).default({}),
  ports: z.array(z.int()).default([]),
  isSick: z.boolean().default(false),
});

await runProgram(Config, start, async ({ name }) => {
  if (name !== 'unsound') return;
  throw new OperationError({ code: 'image.not-found', message: `there is no image for ${name}` });
});

async function start(config: z.infer<typeof Config>): Promise<RunningProgram> {
  // As a listener does it in a real program: runs until it is told to end.
  const timer = setInterval(() => {}, 60_000);
  return {
    ready: { config },
    ailments: () => (config.isSick ? ['it is sick', 'and tired'] : []),
    close: async () => clearInterval(timer),
  };
}
