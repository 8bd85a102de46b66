/** Reads a cluster file. Every problem is named at once: file:line:column, the key, what is allowed. */
import { readFile } from 'node:fs/promises';
import { ClusterFile, OperationError } from '@skein/shared';
import { type Document, isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { allowedKeys } from './allowed-keys.ts';
import { type Limits, obstacles } from './feasibility.ts';

/** @throws OperationError config.unreadable, config.invalid */
export async function readClusterFile(path: string, limits: Limits): Promise<ClusterFile> {
  const text = await readFile(path, 'utf8').catch((cause: Error) => {
    const message = `cannot read the cluster file ${path}: ${cause.message}`;
    throw new OperationError({ code: 'config.unreadable', message, cause });
  });
  return parseClusterFile(text, path, limits);
}

/** @throws OperationError config.invalid */
export function parseClusterFile(text: string, path: string, limits: Limits): ClusterFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${path}:${line}:${col}`;
  };
  if (document.errors.length > 0) {
    throw invalid(document.errors.map((error) => `${place(error.pos[0])}: ${error.message}`));
  }
  const parsed = ClusterFile.safeParse(document.toJS() ?? {});
  if (!parsed.success)
    throw invalid(parsed.error.issues.flatMap((issue) => describe(issue, document, place)));
  const impossible = obstacles(parsed.data, limits);
  if (impossible.length === 0) return parsed.data;
  throw invalid(impossible.map((obstacle) => sentence(obstacle, document, place)));
}

type Place = (offset: number) => string;

function describe(issue: z.core.$ZodIssue, document: Document, place: Place): string[] {
  if (issue.code !== 'unrecognized_keys') return [sentence(issue, document, place)];
  const allowed = allowedKeys(ClusterFile, issue.path).join(', ');
  return issue.keys.map((unknown) => {
    const where = place(offsetOfKey(document, issue.path, unknown));
    const key = [...issue.path, unknown].map(String).join('.');
    return `${where}: ${key}: there is no such key; keys here: ${allowed}`;
  });
}

function sentence(
  { path, message }: { readonly path: readonly PropertyKey[]; readonly message: string },
  document: Document,
  place: Place,
): string {
  return `${place(offsetOf(document, path))}: ${path.map(String).join('.') || 'the file'}: ${message}`;
}

/** Where the value stands, or what should hold it. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  for (let length = path.length; length >= 0; length--) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    const range = (node as { readonly range?: readonly number[] | null } | null | undefined)?.range;
    if (range?.[0] !== undefined) return range[0];
  }
  return 0;
}

function offsetOfKey(document: Document, path: readonly PropertyKey[], key: string): number {
  const map = path.length === 0 ? document.contents : document.getIn(path, true);
  if (!isMap(map)) return offsetOf(document, path);
  const pair = map.items.find((item) => isScalar(item.key) && String(item.key.value) === key);
  const range = isScalar(pair?.key) ? pair.key.range : null;
  return range?.[0] ?? offsetOf(document, path);
}

function invalid(problems: readonly string[]): OperationError {
  return new OperationError({ code: 'config.invalid', message: problems.join('\n') });
}
