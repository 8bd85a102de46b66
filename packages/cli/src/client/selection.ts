/** Which objects a person means: an exact name, a unique beginning of one, `vm/web1`, or a pattern with `*` and `?`. */
import { type ErrorCode, OperationError } from '@skein/shared';
import { usageError } from '../failure.ts';

export interface Selectable<T> {
  /** `vm`, `host`, `operation`. */
  readonly kind: string;
  readonly items: readonly T[];
  readonly nameOf: (item: T) => string;
}

/** One object. @throws OperationError vm.not-found and its like, name.ambiguous, request.invalid */
export function selectOne<T>(from: Selectable<T>, text: string): T {
  const name = withoutKind(from.kind, text);
  const exact = from.items.find((item) => from.nameOf(item) === name);
  if (exact !== undefined) return exact;
  const begun = from.items.filter((item) => name !== '' && from.nameOf(item).startsWith(name));
  const [only] = begun;
  if (only !== undefined && begun.length === 1) return only;
  if (begun.length > 1) {
    const names = begun.map(from.nameOf).sort().slice(0, 5).join(', ');
    throw new OperationError({
      code: 'name.ambiguous',
      message: `${name} is the beginning of ${begun.length} ${from.kind} names (${names}); give more of it`,
    });
  }
  throw notFound(from, name);
}

/** All that the texts name, in the list's order; everything when there are none. */
export function selectMany<T>(from: Selectable<T>, texts: readonly string[]): readonly T[] {
  if (texts.length === 0) return from.items;
  const selected = new Set<T>();
  for (const text of texts) {
    const name = withoutKind(from.kind, text);
    if (!/[*?]/.test(name)) {
      selected.add(selectOne(from, text));
      continue;
    }
    const matches = from.items.filter((item) => matchesGlob(name, from.nameOf(item)));
    if (matches.length === 0) throw notFound(from, name);
    for (const match of matches) selected.add(match);
  }
  return from.items.filter((item) => selected.has(item));
}

export function matchesGlob(pattern: string, text: string): boolean {
  const source = [...pattern]
    .map((character) => {
      if (character === '*') return '.*';
      if (character === '?') return '.';
      return character.replace(/[\\^$.|+()[\]{}]/, '\\$&');
    })
    .join('');
  return new RegExp(`^${source}$`, 's').test(text);
}

/** `vm/web1` names what `web1` names; another kind is a mistake. */
export function withoutKind(kind: string, text: string): string {
  const slash = text.indexOf('/');
  if (slash < 0) return text;
  const given = text.slice(0, slash);
  if (given !== kind && given !== `${kind}s`) throw usageError(`${text} is not the name of a ${kind}`);
  return text.slice(slash + 1);
}

function notFound<T>(from: Selectable<T>, name: string): OperationError {
  const known = from.items.map(from.nameOf).sort();
  const codes: Readonly<Record<string, ErrorCode>> = {
    vm: 'vm.not-found',
    host: 'host.not-found',
    operation: 'operation.not-found',
  };
  const hint =
    known.length === 0
      ? `there is no ${from.kind} at all`
      : `there is ${known.slice(0, 5).join(', ')}${known.length > 5 ? ', ...' : ''}`;
  return new OperationError({
    code: codes[from.kind] ?? 'request.invalid',
    message: `no ${from.kind} is named ${name}; ${hint}`,
  });
}
