/** Commands as one script for `sh`, each word quoted: a container is started once for all of them. */
import type { NetworkCommand } from './bed.ts';

export function shellScript(commands: readonly NetworkCommand[]): string {
  return ['set -e', ...commands.map((words) => words.map(quoted).join(' '))].join('\n');
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
