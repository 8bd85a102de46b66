/**
 * The machine's apt-get with a state of its own: it sees one suite of Debian for one architecture, needs no root and leaves
 * the machine's own package lists alone. Proxies and the like come from the machine's configuration; whether
 * signatures are verified does not.
 * Source: apt.conf(5) "DIRECTORIES", apt-get(8), apt-cache(8).
 */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { absentAsUndefined } from '../cache-folder.ts';
import { type CommandResult, runCommand } from '../command.ts';
import { isSha256 } from '../digest.ts';
import { GuestImageError } from '../guest-image-error.ts';
import { type DebianSource, debianSources } from './apt-sources.ts';
import type { PackageIdentity } from './package.ts';

/** What the archive says about a package before it is here. */
export interface AvailablePackage extends PackageIdentity {
  readonly bytes: number;
  /** Names only, of "Depends". */
  readonly dependsOn: readonly string[];
}

/** The guests' own; amd64 for what is the same for all, in suites that have no other index. */
export type ArchiveArchitecture = 'riscv64' | 'amd64';

const updateDeadlineMs = 300_000;
const downloadDeadlineMs = 1_800_000;
const queryDeadlineMs = 60_000;
/** How often a download's progress is looked at. */
const progressPeriodMs = 250;
const keyrings = [
  '/usr/share/keyrings/debian-archive-keyring.gpg',
  '/usr/share/keyrings/debian-archive-keyring.pgp',
];

/** The sources of this machine that could serve Debian's packages. */
export async function machineSources(): Promise<readonly DebianSource[]> {
  const folders = await runCommand(
    'apt-config',
    ['shell', 'LIST', 'Dir::Etc::sourcelist/f', 'PARTS', 'Dir::Etc::sourceparts/d'],
    {
      deadlineMs: queryDeadlineMs,
    },
  );
  const value = (name: string): string =>
    new RegExp(`^${name}='(.*)'$`, 'm').exec(folders.stdout.toString('utf8'))?.[1] ?? '';
  const partsFolder = value('PARTS');
  const parts = (await absentAsUndefined(readdir(partsFolder))) ?? [];
  const paths = [value('LIST'), ...parts.sort().map((part) => join(partsFolder, part))];
  const files = [];
  for (const name of paths.filter((path) => /\.(?:list|sources)$/.test(path))) {
    const text = await absentAsUndefined(readFile(name, 'utf8'));
    if (text !== undefined) files.push({ name, text });
  }
  const sources = debianSources(files);
  if (sources.length === 0) {
    throw new GuestImageError(
      'image.unavailable',
      `no Debian source is configured on this machine (${paths.join(', ')}); add one, or put the packages of a ` +
        'riscv64 kernel and busybox-static into a folder and name it in SKEIN_PACKAGE_CACHE',
    );
  }
  return sources;
}

/** One suite at one source. Use `close` when done: it removes the state folder. */
export class SuiteArchive {
  readonly suite: string;
  readonly #folder: string;

  private constructor(suite: string, folder: string) {
    this.suite = suite;
    this.#folder = folder;
  }

  /**
   * Fetches and verifies the suite's index.
   * @throws GuestImageError image.unavailable with apt's own reason when that fails
   */
  static async open(
    source: DebianSource,
    suite: string,
    architecture: ArchiveArchitecture = 'riscv64',
  ): Promise<SuiteArchive> {
    const keyring = await findKeyring(source);
    const folder = await mkdtemp(join(tmpdir(), 'skein-apt-'));
    const archive = new SuiteArchive(suite, folder);
    try {
      for (const part of ['lists/partial', 'cache/archives/partial', 'sources', 'empty']) {
        await mkdir(join(folder, part), { recursive: true });
      }
      await writeFile(join(folder, 'status'), '');
      await writeFile(
        join(folder, 'sources', 'guest.sources'),
        `Types: deb\nURIs: ${source.uri}\nSuites: ${suite}\nComponents: main\nArchitectures: ${architecture}\nSigned-By: ${keyring}\n`,
      );
      await writeFile(join(folder, 'apt.conf'), aptConfiguration(folder, architecture));
      const result = await archive.#apt('apt-get', ['update'], updateDeadlineMs);
      if (result.exitCode !== 0) throw refusal(`suite ${suite}`, result);
      return archive;
    } catch (cause) {
      await archive.close();
      throw cause;
    }
  }

  async close(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** The newest version of a package, or undefined when the suite does not have it. */
  async find(name: string): Promise<AvailablePackage | undefined> {
    const result = await this.#apt('apt-cache', ['show', '--no-all-versions', name], queryDeadlineMs);
    if (result.exitCode !== 0) return undefined;
    return parsePackage(result.stdout.toString('utf8'), name);
  }

  /**
   * Packages and all that they depend on, in an order in which they can be unpacked: what a package needs stands before it.
   * @throws GuestImageError image.unavailable with apt's own reason when something is not to be had
   */
  async resolve(names: readonly string[]): Promise<readonly AvailablePackage[]> {
    const install = [
      'install',
      '--simulate',
      '--no-install-recommends',
      '-o',
      'APT::Get::Show-User-Simulation-Note=false',
    ];
    const plan = await this.#apt('apt-get', [...install, '--', ...names], queryDeadlineMs);
    if (plan.exitCode !== 0) throw refusal(`suite ${this.suite}`, plan);
    const needed = [...plan.stdout.toString('utf8').matchAll(/^Inst (\S+) /gm)].map(([, name]) => name ?? '');
    const shown = await this.#apt(
      'apt-cache',
      ['show', '--no-all-versions', '--', ...needed],
      queryDeadlineMs,
    );
    const paragraphs = shown.stdout.toString('utf8').split('\n\n');
    return needed.map((name) => {
      const found = paragraphs.flatMap((paragraph) => parsePackage(paragraph, name) ?? [])[0];
      if (found !== undefined) return found;
      throw new GuestImageError('image.unavailable', `suite ${this.suite} says nothing about ${name}`);
    });
  }

  /**
   * Fetches packages into a folder, all or none.
   * @returns the files' paths in the order of the packages
   */
  async download(
    packages: readonly AvailablePackage[],
    folder: string,
    onBytes: (bytes: number) => void,
  ): Promise<readonly string[]> {
    const timer = setInterval(() => {
      folderBytes(folder).then(onBytes, () => undefined);
    }, progressPeriodMs);
    try {
      const names = packages.map(({ name, version }) => `${name}=${version}`);
      const result = await this.#apt('apt-get', ['download', ...names], downloadDeadlineMs, folder);
      if (result.exitCode !== 0) throw refusal(`suite ${this.suite}`, result);
    } finally {
      clearInterval(timer);
    }
    const files = await readdir(folder);
    return packages.map(({ name }) => {
      const file = files.find((candidate) => candidate.startsWith(`${name}_`) && candidate.endsWith('.deb'));
      if (file === undefined) {
        throw new GuestImageError('image.unavailable', `apt-get download brought no file for ${name}`);
      }
      return join(folder, file);
    });
  }

  #apt(
    program: string,
    args: readonly string[],
    deadlineMs: number,
    workingDirectory?: string,
  ): Promise<CommandResult> {
    return runCommand(program, args, {
      deadlineMs,
      environment: { APT_CONFIG: join(this.#folder, 'apt.conf') },
      ...(workingDirectory === undefined ? {} : { workingDirectory }),
    });
  }
}

/** Read after the machine's own configuration, whose hooks and exceptions from verification it takes back. */
function aptConfiguration(folder: string, architecture: ArchiveArchitecture): string {
  return `
Dir::State "${folder}";
Dir::State::Lists "${folder}/lists";
Dir::State::status "${folder}/status";
Dir::Cache "${folder}/cache";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "${folder}/sources";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "${folder}/empty";
#clear APT::Architectures;
APT::Architecture "${architecture}";
APT::Architectures { "${architecture}"; };
APT::Sandbox::User "${userInfo().username}";
#clear APT::Default-Release;
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
APT::Update::Error-Mode "any";
APT::Get::AllowUnauthenticated "false";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
quiet "2";
`;
}

async function findKeyring(source: DebianSource): Promise<string> {
  for (const path of [source.keyring, ...keyrings]) {
    if (path !== undefined && (await absentAsUndefined(stat(path))) !== undefined) return path;
  }
  throw new GuestImageError(
    'image.unavailable',
    "this machine lacks Debian's archive keyring, without which packages cannot be verified: " +
      'apt-get install debian-archive-keyring',
  );
}

function refusal(what: string, result: CommandResult): GuestImageError {
  const reasons = result.stderr.split('\n').filter((line) => line.startsWith('E:') || line.startsWith('W:'));
  const reason = reasons.slice(0, 3).join(' ').replace(/\s+/g, ' ').slice(0, 1000);
  return new GuestImageError(
    'image.unavailable',
    `${what}: ${reason === '' ? 'apt failed without a reason' : reason}`,
  );
}

/** The first paragraph of `apt-cache show`, or undefined when it is about something else. */
export function parsePackage(text: string, wanted: string): AvailablePackage | undefined {
  const paragraph = text.split('\n\n')[0] ?? '';
  const field = (name: string): string =>
    new RegExp(`^${name}: (.*)$`, 'm').exec(paragraph)?.[1]?.trim() ?? '';
  const sha256 = field('SHA256');
  const bytes = Number(field('Size'));
  if (field('Package') !== wanted || !isSha256(sha256) || !Number.isSafeInteger(bytes)) return undefined;
  const dependsOn = field('Depends')
    .split(/[,|]/)
    .flatMap((term) => term.trim().split(/[\s(:]/)[0] ?? [])
    .filter((name) => name !== '');
  return { name: wanted, version: field('Version'), sha256, bytes, dependsOn };
}

async function folderBytes(folder: string): Promise<number> {
  let bytes = 0;
  for (const file of await readdir(folder)) bytes += (await stat(join(folder, file))).size;
  return bytes;
}
