/** `skein link set|show|reset HOST NETWORK`: makes the cable between a host and a network slow or lossy. */
import { type HostName, type NetworkKind, networkKinds } from '@skein/shared';
import type { Command } from 'commander';
import type { Cable, NetworkBed } from '../bed/bed.ts';
import { readShown, resetPlan, type ShownLink, shapePlan, showPlan } from '../bed/link-plan.ts';
import { formatRate, parseLoss, parseRate } from '../bed/rate.ts';
import { usageError } from '../failure.ts';
import { formatList, type Presentation } from '../output/format.ts';
import { nameArgument, networkArgument } from './argument.ts';
import { cableOf, carryOut, networkBed } from './fault.ts';
import { formatOf } from './shared-options.ts';

interface LinkView extends ShownLink {
  readonly host: HostName;
  readonly network: NetworkKind;
  readonly address: string;
}

const linkPresentation: Presentation<LinkView> = {
  kind: 'link',
  nameOf: ({ host, network }) => `${host}/${network}`,
  columns: [
    { header: 'HOST', value: ({ host }) => host },
    { header: 'NETWORK', value: ({ network }) => network },
    { header: 'ADDRESS', value: ({ address }) => address },
    { header: 'STATE', value: ({ isUp }) => (isUp ? 'up' : 'cut') },
    { header: 'RATE', value: ({ rateBitPerS }) => (rateBitPerS === null ? '-' : formatRate(rateBitPerS)) },
    {
      header: 'LOSS',
      value: ({ lossRatio }) => (lossRatio === null ? '-' : `${Number((lossRatio * 100).toFixed(4))}%`),
    },
  ],
};

export function addLinkCommand(program: Command): void {
  const link = program.command('link').description('shape the cables between hosts and networks');
  link
    .command('set')
    .argument('<host>', 'a host', nameArgument)
    .argument('<network>', 'one of its networks', networkArgument)
    .description('limit the rate of a cable, in each direction, or let the host lose packets on it')
    .option('--rate <RATE>', 'bits a second, such as 100mbit', parseRate)
    .option('--loss <PERCENT>', 'of the packets that come to the host, such as 1%', parseLoss)
    .action(set);
  link
    .command('show')
    .argument('[host]', 'a host (default: all)', nameArgument)
    .argument('[network]', 'one of its networks (default: all)', networkArgument)
    .description('rate, loss and state of cables')
    .action(
      async (host: HostName | undefined, network: NetworkKind | undefined, _options, command: Command) => {
        const networks = await networkBed(command);
        const cables = await selected(networks, host, network);
        const views: LinkView[] = [];
        for (const cable of cables) views.push(await look(networks, cable));
        process.stdout.write(formatList(linkPresentation, views, formatOf(command)));
      },
    );
  link
    .command('reset')
    .argument('[host]', 'a host (default: all)', nameArgument)
    .argument('[network]', 'one of its networks (default: all)', networkArgument)
    .description('take all limits and losses off again')
    .action(
      async (host: HostName | undefined, network: NetworkKind | undefined, _options, command: Command) => {
        const networks = await networkBed(command);
        for (const cable of await selected(networks, host, network)) {
          await carryOut(networks, cable.host, resetPlan(cable));
        }
      },
    );
}

async function set(
  host: HostName,
  network: NetworkKind,
  options: { readonly rate?: number; readonly loss?: number },
  command: Command,
): Promise<void> {
  const { rate, loss } = options;
  if (rate === undefined && loss === undefined)
    throw usageError('say what to set: --rate 100mbit, --loss 1%, or both');
  const networks = await networkBed(command);
  const cable = await cableOf(networks, host, network);
  const shape = {
    ...(rate === undefined ? {} : { rateBitPerS: rate }),
    ...(loss === undefined ? {} : { lossRatio: loss }),
  };
  await carryOut(networks, cable.host, shapePlan(cable, shape));
  process.stdout.write(formatList(linkPresentation, [await look(networks, cable)], formatOf(command)));
}

async function look(networks: NetworkBed, cable: Cable): Promise<LinkView> {
  const { host, network, address } = cable;
  return { host, network, address, ...readShown(cable, await carryOut(networks, host, showPlan(cable))) };
}

async function selected(
  networks: NetworkBed,
  host: HostName | undefined,
  network: NetworkKind | undefined,
): Promise<readonly Cable[]> {
  const hosts = host === undefined ? await networks.hosts() : [host];
  if (host !== undefined && network !== undefined) return [await cableOf(networks, host, network)];
  const cables: Cable[] = [];
  for (const name of hosts) cables.push(...(await networks.cables(name)));
  return cables
    .filter((cable) => network === undefined || cable.network === network)
    .sort((a, b) => networkKinds.indexOf(a.network) - networkKinds.indexOf(b.network))
    .sort((a, b) => (a.host < b.host ? -1 : a.host > b.host ? 1 : 0));
}
