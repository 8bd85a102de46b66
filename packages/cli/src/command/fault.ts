/** `skein fault kill|pause|resume|cut|heal|partition`: breaks the cluster as hardware and cables break. */
import { type HostName, type NetworkKind, OperationError } from '@skein/shared';
import type { Command } from 'commander';
import type { Cable, NetworkBed } from '../bed/bed.ts';
import { findBed } from '../bed/find-bed.ts';
import { cutPlan, deafenPlan, healPlan, type LinkPlan, undeafenPlan } from '../bed/link-plan.ts';
import { nameArgument, networkArgument } from './argument.ts';
import { givenStateFolder } from './shared-options.ts';

export function addFaultCommand(program: Command): void {
  const fault = program
    .command('fault')
    .description('break the cluster: programs, cables, and who hears whom');
  const verbs = [
    ['kill', 'end a program at once, as a power failure does', 'killed'],
    ['pause', 'stop a program where it is', 'paused'],
    ['resume', 'let a paused program go on, or start a killed one again', 'resumed'],
  ] as const;
  for (const [verb, description, done] of verbs) {
    fault
      .command(verb)
      .description(description)
      .argument('<program>', "a host's name, coordinator, or storage", nameArgument)
      .action(async (target: string, _options: unknown, command: Command) => {
        await (await findBed(givenStateFolder(command)))[verb](target);
        process.stdout.write(`${target} ${done}\n`);
      });
  }
  fault
    .command('cut')
    .argument('<host>', 'a host', nameArgument)
    .argument('<network>', 'one of its networks', networkArgument)
    .description('pull the cable between a host and a network; the interface keeps its address')
    .action(async (host: HostName, network: NetworkKind, _options: unknown, command: Command) => {
      const networks = await networkBed(command);
      const cable = await cableOf(networks, host, network);
      await carryOut(networks, cable.host, cutPlan(cable));
      process.stdout.write(`${cable.host} is cut from ${cable.network}\n`);
    });
  fault
    .command('heal')
    .argument('[host]', 'a host (default: all)', nameArgument)
    .argument('[network]', 'one of its networks (default: all)', networkArgument)
    .description('plug in what was cut and end partitions: of one network, of a host, or of all hosts')
    .action(
      async (host: HostName | undefined, network: NetworkKind | undefined, _options, command: Command) => {
        await heal(await networkBed(command), host, network);
      },
    );
  fault
    .command('partition')
    .argument('<host>', 'a host', nameArgument)
    .argument('<other>', 'another one', nameArgument)
    .description('let two hosts lose each other, on all networks or on one; both reach everybody else')
    .option('--network <NETWORK>', 'on this network only', networkArgument)
    .action(partition);
}

export async function networkBed(command: Command): Promise<NetworkBed> {
  return (await findBed(givenStateFolder(command))).networks();
}

async function partition(
  host: HostName,
  other: HostName,
  options: { readonly network?: NetworkKind },
  command: Command,
): Promise<void> {
  const networks = await networkBed(command);
  const [a, b] = [await networks.cables(host), await networks.cables(other)];
  const shared = a.flatMap((cable) => {
    if (options.network !== undefined && cable.network !== options.network) return [];
    const peer = b.find(({ network }) => network === cable.network);
    return peer === undefined ? [] : [[cable, peer] as const];
  });
  if (shared.length === 0) {
    const message = `${host} and ${other} share no network${options.network === undefined ? '' : ` ${options.network}`}`;
    throw new OperationError({ code: 'host.wrong-state', message });
  }
  for (const [cable, peer] of shared) {
    await carryOut(networks, cable.host, deafenPlan(cable, peer.address));
    await carryOut(networks, peer.host, deafenPlan(peer, cable.address));
  }
  process.stdout.write(
    `${host} and ${other} have lost each other on ${shared.map(([{ network }]) => network).join(', ')}\n`,
  );
}

async function heal(
  networks: NetworkBed,
  host: HostName | undefined,
  network: NetworkKind | undefined,
): Promise<void> {
  const hosts = host === undefined ? await networks.hosts() : [host];
  for (const name of hosts) {
    const cables = (await networks.cables(name)).filter(
      (cable) => network === undefined || cable.network === network,
    );
    for (const cable of cables) await carryOut(networks, name, healPlan(cable));
    await carryOut(networks, name, undeafenPlan());
    process.stdout.write(`${name} is healed\n`);
  }
}

/** @throws OperationError host.wrong-state */
export async function cableOf(networks: NetworkBed, host: HostName, network: NetworkKind): Promise<Cable> {
  const cables = await networks.cables(host);
  const found = cables.find((cable) => cable.network === network);
  if (found !== undefined) return found;
  const known = cables.map((cable) => cable.network).join(', ') || 'none';
  throw new OperationError({
    code: 'host.wrong-state',
    message: `${host} is not connected to ${network}; its networks: ${known}`,
  });
}

export async function carryOut(networks: NetworkBed, host: HostName, plan: LinkPlan): Promise<string> {
  const printed = await networks.inHost(host, plan.inHost);
  return printed + (await networks.inNetworks(plan.inNetworks));
}
