/** `skein up`: a cluster on this machine, in the background, until `skein down`. */
import { join, resolve } from 'node:path';
import { defaultCacheFolder } from '@skein/guests';
import { readTokenFile } from '@skein/transport';
import { type Command, Option } from 'commander';
import { ApiClient } from '../client/api-client.ts';
import { hostsMax } from '../cluster/addresses.ts';
import { awaitDeclaredGuests } from '../cluster/declared-guests.ts';
import { makeDeclaredImages } from '../cluster/declared-images.ts';
import { type LaunchOptions, launchCluster } from '../cluster/launch.ts';
import { mendDamagedImages } from '../cluster/mend-images.ts';
import { type BedKind, bedKinds, defaultStateFolder } from '../cluster/state-folder.ts';
import { Interrupted, usageError } from '../failure.ts';
import { StatusLine } from '../output/status-line.ts';
import { countArgument, nameArgument } from './argument.ts';
import { stateFolderOf } from './shared-options.ts';

interface UpOptions {
  readonly file?: string;
  readonly bed: BedKind;
  readonly hosts: number;
  readonly hostMemory: number;
  readonly hostMhz?: number;
  readonly name: string;
  readonly insecure?: boolean;
}

export function addUpCommand(program: Command): void {
  program
    .command('up')
    .description(
      'start a cluster on this machine: storage service, coordinator and host agents, each a process',
    )
    .addOption(
      new Option(
        '--bed <BED>',
        'on what its processes run: the loopback interface alone, or a network namespace each, joined by seven ' +
          'networks that `skein fault` and `skein link` break and shape',
      )
        .choices(bedKinds)
        .default('processes'),
    )
    .option('-f, --file <FILE>', 'a cluster file, whose guests are made; up is over when all have booted')
    .option('--hosts <N>', 'how many hosts', countArgument(1, hostsMax, 'hosts'), 3)
    .option(
      '--host-memory <MIB>',
      'memory of each host for its guests',
      countArgument(64, 1 << 20, 'MiB'),
      1024,
    )
    .option('--host-mhz <MHZ>', 'CPU of each host (default: measured)', countArgument(10, 1_000_000, 'MHz'))
    .option('--name <NAME>', 'name of the cluster', nameArgument, 'skein')
    .option(
      '--insecure',
      'no certificates and no encryption between its programs (loopback only; for measuring)',
    )
    .action(up);
}

async function up(options: UpOptions, command: Command): Promise<void> {
  if (options.insecure === true && options.bed !== 'processes')
    throw usageError('--insecure is for loopback addresses alone: leave it out, or --bed namespaces');
  const stateFolder = stateFolderOf(command);
  const line = new StatusLine();
  const abort = new AbortController();
  const onSignal = (): void => abort.abort(new Interrupted('interrupted; what was started is stopped again'));
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    await mendDamagedImages();
    const file = options.file === undefined ? null : await guestsOf(options.file, line, abort.signal);
    const launched = await launchCluster({
      cluster: options.name,
      bed: options.bed,
      stateFolder,
      hosts: options.hosts,
      hostMemoryMib: options.hostMemory,
      ...(options.hostMhz === undefined ? {} : { hostMhz: options.hostMhz }),
      imageFolder: join(defaultCacheFolder(), 'images'),
      templateFolder: join(defaultCacheFolder(), 'templates'),
      isDetached: true,
      isInsecure: options.insecure === true,
      ...file,
      onProgress: (phase) => line.show(phase),
      signal: abort.signal,
    });
    line.say(`cluster ${launched.cluster} runs: ${options.hosts} hosts, API at ${launched.apiUrl}`);
    if (options.insecure === true)
      line.say('INSECURE: whoever can reach its loopback addresses can speak for any host of it');
    if (stateFolder !== defaultStateFolder())
      line.say(`for the commands that follow: export SKEIN_STATE=${stateFolder}`);
    line.say('try: skein get host; skein vm create web1; end it with: skein down');
  } finally {
    line.clear();
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

/** The images of a cluster file's guests must be there before the coordinator reads the file. */
async function guestsOf(
  file: string,
  line: StatusLine,
  signal: AbortSignal,
): Promise<Pick<LaunchOptions, 'clusterFile' | 'whenStarted'>> {
  await makeDeclaredImages(file);
  return {
    clusterFile: resolve(file),
    whenStarted: async ({ apiUrl, apiTokenFile }) => {
      const client = new ApiClient({ url: apiUrl, token: await readTokenFile(apiTokenFile) });
      const onProgress = (phase: string): void => line.show(phase);
      await awaitDeclaredGuests({ look: () => client.cluster(), onProgress, signal });
    },
  };
}
