/** The docker command line, as far as a cluster in containers needs it. We speak to no socket of the engine's. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { OperationError } from '@skein/shared';

const run = promisify(execFile);
const deadlineMs = 30_000;
const outputBytesMax = 16 << 20;

/** @throws OperationError bed.unavailable */
export async function docker(...args: string[]): Promise<string> {
  try {
    const { stdout } = await run('docker', args, { timeout: deadlineMs, maxBuffer: outputBytesMax });
    return stdout;
  } catch (error) {
    const { code, stderr = '' } = error as NodeJS.ErrnoException & { readonly stderr?: string };
    const why =
      code === 'ENOENT' ? 'the docker command is not installed' : firstLine(stderr || String(error));
    throw new OperationError({
      code: 'bed.unavailable',
      message: `docker ${args[0] ?? ''} failed: ${why}`,
      cause: error,
    });
  }
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0]?.slice(0, 300) ?? '';
}
