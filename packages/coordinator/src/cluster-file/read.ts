/** Reads a cluster file. Every problem is named at once: file:line:column, the key, what is allowed. */
import { readFile } from 'node:fs/promises';
import { ClusterFile, OperationError } from '@skein/shared';
import { type Document, isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';

/** @throws OperationError config.unreadable, config.invalid */
export async function readClusterFile(path: string): Promise<ClusterFile> {
  const text = await readFile(path, 'utf8').catch((cause: Error) => {
    const message = `cannot read the cluster file ${path}: ${cause.message}`;
    throw new OperationError({ code: 'config.unreadable', message, cause });
  });
  return parseClusterFile(text, path);
}

/** @throws OperationError config.invalid */
export function parseClusterFile(text: string, path: string): ClusterFile {
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
  if (parsed.success) return parsed.data;
  throw invalid(parsed.error.issues.flatMap((issue) => describe(issue, document, place)));
}

function describe(issue: z.core.$ZodIssue, document: Document, place: (offset: number) => string): string[] {
  const key = issue.path.map(String).join('.') || 'the file';
  if (issue.code !== 'unrecognized_keys')
    return [`${place(offsetOf(document, issue.path))}: ${key}: ${issue.message}`];
  return issue.keys.map((unknown) => {
    const where = place(offsetOfKey(document, issue.path, unknown));
    return `${where}: ${[...issue.path, unknown].map(String).join('.')}: there is no such key`;
  });
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
