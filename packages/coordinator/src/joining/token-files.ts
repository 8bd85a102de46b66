/**
 * Join tokens in files, for programs that are started together with the coordinator or later: made at its first start
 * and replaced at half of their life, so that whoever reads one finds one that holds.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { type JoinKind, joinTokenLifeSDefault, OperationError } from '@skein/shared';
import { parseJoinToken } from '@skein/transport/certificates';
import type { JoinTokens } from './join-tokens.ts';

export interface JoinTokenFile {
  readonly kind: JoinKind;
  readonly path: string;
}

const lookPeriodMs = 10 * 60_000;

/** Resolves when all files hold a good token. @throws OperationError config.unreadable */
export async function keepTokenFiles(
  files: readonly JoinTokenFile[],
  tokens: JoinTokens,
  wallMs: () => number,
  onFailed: (error: Error) => void,
): Promise<() => void> {
  const renew = async (): Promise<void> => {
    for (const file of files) if (!(await isFresh(file, tokens, wallMs()))) await writeToken(file, tokens);
  };
  await renew();
  const timer = setInterval(() => void renew().catch(onFailed), lookPeriodMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** Whether the coordinator knows its secret, and half of its life is left. */
async function isFresh({ kind, path }: JoinTokenFile, tokens: JoinTokens, nowMs: number): Promise<boolean> {
  try {
    const { id, secret, expiresAtMs } = parseJoinToken(await readFile(path, 'utf8'));
    if (tokens.kindFor(id, secret) !== kind) return false;
    return expiresAtMs - nowMs > (joinTokenLifeSDefault * 1000) / 2;
  } catch {
    return false; // None, or none of ours: it is replaced.
  }
}

async function writeToken({ kind, path }: JoinTokenFile, tokens: JoinTokens): Promise<void> {
  const { token } = tokens.create({ kind, lifeS: joinTokenLifeSDefault });
  const unfinished = `${path}.${process.pid}.new`;
  try {
    await writeFile(unfinished, `${token}\n`, { mode: 0o600 });
    await rename(unfinished, path);
  } catch (cause) {
    throw new OperationError({
      code: 'config.unreadable',
      message: `cannot write the join token ${path}: ${(cause as Error).message}`,
      cause,
    });
  }
}
