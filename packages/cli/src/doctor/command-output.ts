/** What a program of this machine prints, or why it prints nothing. A check must end, whatever the program does. */
import { execFile } from 'node:child_process';

export type CommandOutput =
  | { readonly kind: 'printed'; readonly text: string }
  | { readonly kind: 'absent' }
  | { readonly kind: 'silent' }
  | { readonly kind: 'failed'; readonly words: string };

export const commandDeadlineMs = 8000;
const outputBytesMax = 16 << 20;

export function outputOf(program: string, ...args: readonly string[]): Promise<CommandOutput> {
  const options = { timeout: commandDeadlineMs, killSignal: 'SIGKILL', maxBuffer: outputBytesMax } as const;
  return new Promise((resolve) => {
    execFile(program, [...args], options, (error, stdout, stderr) => {
      if (error === null) resolve({ kind: 'printed', text: stdout });
      else if (error.code === 'ENOENT') resolve({ kind: 'absent' });
      else if (error.killed === true) resolve({ kind: 'silent' });
      else resolve({ kind: 'failed', words: firstLine(stderr) || firstLine(error.message) });
    });
  });
}

export function firstLine(text: string): string {
  return text.trim().split('\n')[0]?.slice(0, 300) ?? '';
}
