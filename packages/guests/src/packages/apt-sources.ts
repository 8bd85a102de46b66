/**
 * Where this machine gets Debian's packages from, read from its own sources, so that a company's mirror or a
 * proxy is used and no host name stands in this project. Only the address matters: suite, architecture and key
 * are put in by us. Source: sources.list(5) "ONE-LINE-STYLE FORMAT" and "DEB822-STYLE FORMAT".
 */

export interface DebianSource {
  readonly uri: string;
  /** A keyring's path that the entry names, if it names one. */
  readonly keyring: string | undefined;
}

/** Suites by which an entry is recognised as Debian's own archive. */
const debianSuites: ReadonlySet<string> = new Set([
  ...['stable', 'oldstable', 'testing', 'unstable', 'sid'],
  ...['bullseye', 'bookworm', 'trixie', 'forky', 'duke'],
]);

interface SourceEntry extends DebianSource {
  readonly suites: readonly string[];
  readonly components: readonly string[];
}

/**
 * The addresses of Debian's archive, likeliest first, without duplicates. What else an entry may be (another
 * vendor's repository with a Debian suite's name) is found out when its signature is checked.
 */
export function debianSources(
  files: readonly { readonly name: string; readonly text: string }[],
): DebianSource[] {
  const entries = files
    .flatMap(({ name, text }) => (name.endsWith('.sources') ? parseDeb822(text) : parseOneLine(text)))
    .filter(
      (entry) => entry.components.includes('main') && entry.suites.some((suite) => debianSuites.has(suite)),
    );
  const unique = new Map(entries.map((entry) => [entry.uri.replace(/\/+$/, ''), entry]));
  return [...unique.values()]
    .sort((a, b) => likelihood(b) - likelihood(a))
    .map(({ uri, keyring }) => ({ uri, keyring }));
}

function likelihood(entry: SourceEntry): number {
  const hasDebianKey = entry.keyring?.includes('debian-archive') === true;
  return (hasDebianKey ? 2 : 0) + (/\/debian\/?$/.test(entry.uri) ? 1 : 0);
}

function parseDeb822(text: string): SourceEntry[] {
  return text.split(/\n\s*\n/).flatMap((paragraph) => {
    const fields = deb822Fields(paragraph);
    if (fields.get('enabled')?.toLowerCase() === 'no' || !words(fields.get('types')).includes('deb'))
      return [];
    const keyring = fields.get('signed-by');
    return words(fields.get('uris')).map((uri) => ({
      uri,
      // An inline key block is a key as well, but not one that can be named.
      keyring: keyring?.startsWith('/') === true ? words(keyring)[0] : undefined,
      suites: words(fields.get('suites')),
      components: words(fields.get('components')),
    }));
  });
}

function deb822Fields(paragraph: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  let last = '';
  for (const line of paragraph.split('\n')) {
    if (line.startsWith('#')) continue;
    const match = /^([\w-]+):\s*(.*)$/.exec(line);
    if (match !== null) {
      last = (match[1] ?? '').toLowerCase();
      fields.set(last, (match[2] ?? '').trim());
    } else if (/^\s/.test(line)) {
      fields.set(last, `${fields.get(last) ?? ''} ${line.trim()}`.trim());
    }
  }
  return fields;
}

function parseOneLine(text: string): SourceEntry[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]*)/.exec(line);
    if (match === null) return [];
    const keyring = words(match[1])
      .find((option) => option.startsWith('signed-by='))
      ?.slice('signed-by='.length);
    return [
      {
        uri: match[2] ?? '',
        keyring: keyring?.startsWith('/') === true ? keyring.split(',')[0] : undefined,
        suites: [match[3] ?? ''],
        components: words(match[4]),
      },
    ];
  });
}

function words(text: string | undefined): string[] {
  return text?.split(/\s+/).filter((word) => word !== '') ?? [];
}
