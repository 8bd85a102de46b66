/** Runs the real command line in a child process, as people do. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';

export interface SkeinRun {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface SkeinRunOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Ends it, as a person does who has seen enough. */
  readonly signal?: AbortSignal;
}

const main = join(import.meta.dirname, '../main.ts');
const deadlineMs = 15_000;

/** Its environment has no cluster of whoever runs the tests. */
export function runSkein(args: readonly string[], options: SkeinRunOptions = {}): Promise<SkeinRun> {
  const environment = { ...process.env, SKEIN_STATE: '/nonexistent', SKEIN_OUTPUT: '', SKEIN_URL: '' };
  const child = spawn(process.execPath, [main, ...args], {
    env: { ...environment, ...options.environment },
    timeout: deadlineMs,
    killSignal: 'SIGKILL',
  });
  options.signal?.addEventListener('abort', () => child.kill('SIGKILL'));
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin.end(options.input ?? '');
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
}
