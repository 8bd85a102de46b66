/**
 * What networks of one's own need of the kernel and its tools. Each is tried as a cluster uses it, in a network
 * namespace that ends with the attempt, so that nothing of it stays (unshare(1), ip-link(8), tc-tbf(8),
 * iptables-extensions(8)).
 */
import { getuid } from 'node:process';
import { type CommandOutput, outputOf } from './command-output.ts';
import { type Finding, good, missing, warning } from './finding.ts';

const namespaces = ['namespaces'] as const;
const both = ['namespaces', 'containers'] as const;

interface Feature {
  readonly name: string;
  /** Also what the containers' engine needs; it is not tried where we may make no namespace. */
  readonly for: readonly ('namespaces' | 'containers')[];
  readonly script: string;
  readonly tools: readonly (keyof typeof packageOf)[];
  readonly isFor: string;
}

/** Debian's package of each tool. */
const packageOf = { ip: 'iproute2', tc: 'iproute2', iptables: 'iptables', setpriv: 'util-linux' } as const;

const features: readonly Feature[] = [
  {
    name: 'veth, bridge',
    for: both,
    tools: ['ip'],
    isFor: 'cables and networks',
    script:
      'ip link add cable0 type veth peer name cable1 && ip link add net0 type bridge && ip link set cable1 master net0',
  },
  {
    name: 'tbf',
    for: both,
    tools: ['ip', 'tc'],
    isFor: '`skein link set --rate`',
    script:
      'ip link add cable0 type veth peer name cable1 && tc qdisc replace dev cable0 root tbf rate 100mbit burst 128kb latency 50ms',
  },
  {
    name: 'iptables statistic',
    for: both,
    tools: ['iptables'],
    isFor: '`skein link set --loss` and `skein fault partition`',
    script: 'iptables -A INPUT -m statistic --mode random --probability 0.5 -j DROP',
  },
  {
    name: 'setpriv',
    for: namespaces,
    tools: ['setpriv'],
    isFor: 'programs without power over their networks',
    script: 'setpriv --bounding-set=-all --no-new-privs -- true',
  },
];

/** Whoever may not make namespaces makes them in a user namespace of their own (user_namespaces(7)). */
function unshared(script: string): Promise<CommandOutput> {
  const user = getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const words = ['unshare', ...user, '--net', '--mount', '--', 'sh', '-c', script];
  return outputOf(words[0] ?? '', ...words.slice(1));
}

export async function checkKernel(): Promise<readonly Finding[]> {
  const made = await checkNamespaces();
  if (made.verdict === 'missing') return [made];
  return [made, ...(await Promise.all(features.map(checkFeature)))];
}

async function checkNamespaces(): Promise<Finding> {
  const name = 'namespaces';
  const output = await unshared('mount -t tmpfs none /run && ls -l /proc/self/ns/net');
  const how = getuid?.() === 0 ? 'as root' : 'in a user namespace';
  if (output.kind === 'printed') return good(name, namespaces, `network and mount namespaces, ${how}`);
  if (output.kind === 'absent')
    return missing(name, namespaces, 'no unshare', "install Debian's package util-linux");
  const advice =
    'run skein as root, or allow user namespaces: sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, ' +
    'kernel.apparmor_restrict_unprivileged_userns';
  return missing(name, namespaces, `cannot be made ${how}: ${wordsOf(output)}`, advice);
}

async function checkFeature({ name, for: needs, script, tools, isFor }: Feature): Promise<Finding> {
  for (const tool of tools) {
    const there = await outputOf('sh', '-c', `command -v ${tool}`);
    if (there.kind === 'printed') continue;
    const advice = `it is for ${isFor}; install Debian's package ${packageOf[tool]}`;
    // Containers have their own tools in their image.
    return missing(name, namespaces, `no ${tool}`, advice);
  }
  const output = await unshared(`mount -t tmpfs none /run && ${script}`);
  if (output.kind === 'printed') return good(name, needs, 'works');
  const advice = `it is for ${isFor}; take a kernel that has it, or do without`;
  return warning(name, needs, wordsOf(output), advice);
}

function wordsOf(output: CommandOutput): string {
  return output.kind === 'failed' ? output.words : 'it does not answer';
}
