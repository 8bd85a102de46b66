/**
 * Which commands of tc, iptables and ip make a link slow, lossy, cut or whole: pure. Rates by the token bucket filter
 * (tc-tbf(8)), loss by iptables' statistic match (iptables-extensions(8)), for the kernels at hand have no netem; so
 * there is no delay. Rules stand in chains of our own, and a reset removes those and nothing else.
 */
import type { Cable, NetworkCommand } from './bed.ts';

export interface LinkShape {
  /** Bits a second, in each direction. */
  readonly rateBitPerS?: number;
  /** Of the packets that the host gets, 0 to 1. */
  readonly lossRatio?: number;
}

export interface LinkPlan {
  readonly inHost: readonly NetworkCommand[];
  readonly inNetworks: readonly NetworkCommand[];
}

/** What is not there cannot be removed, and need not be. */
const ifThere = (command: string): NetworkCommand => ['sh', '-c', `${command} 2>/dev/null || true`];

/** A burst of 10 ms at full rate, but at least what a segment offload hands over at once. */
const burstSeconds = 0.01;
const burstBytesMin = 128 << 10;
const queueLatency = '50ms';

const lossChain = 'SKEIN-LOSS';
const partitionChain = 'SKEIN-PARTITION';

export function shapePlan(cable: Cable, { rateBitPerS, lossRatio }: LinkShape): LinkPlan {
  const rate = rateBitPerS === undefined ? null : tokenBucket(rateBitPerS);
  return {
    inHost: [
      ...(rate === null ? [] : [qdisc(cable.inside, rate)]),
      ...(lossRatio === undefined ? [] : lossCommands(cable, lossRatio)),
    ],
    inNetworks: rate === null ? [] : [qdisc(cable.outside, rate)],
  };
}

export function resetPlan(cable: Cable): LinkPlan {
  return {
    inHost: [withoutQdisc(cable.inside), ...lossCommands(cable, 0)],
    inNetworks: [withoutQdisc(cable.outside)],
  };
}

export function showPlan(cable: Cable): LinkPlan {
  return {
    inHost: [
      ['tc', 'qdisc', 'show', 'dev', cable.inside],
      ['ip', '-o', 'link', 'show', 'dev', cable.inside],
      ['iptables', '-S'],
    ],
    inNetworks: [],
  };
}

export function cutPlan(cable: Cable): LinkPlan {
  return { inHost: [['ip', 'link', 'set', 'dev', cable.inside, 'down']], inNetworks: [] };
}

/** Also ends partitions. */
export function healPlan(cable: Cable): LinkPlan {
  return { inHost: [['ip', 'link', 'set', 'dev', cable.inside, 'up']], inNetworks: [] };
}

/** Of the host of one cable: hears nothing more of the other one's. */
export function deafenPlan(cable: Cable, toAddress: string): LinkPlan {
  return {
    inHost: [
      ...ownChain(partitionChain),
      ['iptables', '-A', partitionChain, '-i', cable.inside, '-s', toAddress, '-j', 'DROP'],
    ],
    inNetworks: [],
  };
}

/** Ends all partitions of a host. */
export function undeafenPlan(): LinkPlan {
  return { inHost: [ifThere(`iptables -F ${partitionChain}`)], inNetworks: [] };
}

export interface ShownLink {
  readonly rateBitPerS: number | null;
  readonly lossRatio: number | null;
  readonly isUp: boolean;
}

/** Reads what the commands of `showPlan` printed. */
export function readShown(cable: Cable, text: string): ShownLink {
  const rate = /\btbf\b.*?\brate (\d+(?:\.\d+)?)([KMG]?)bit/.exec(text);
  const factor = { '': 1, K: 1e3, M: 1e6, G: 1e9 }[rate?.[2] ?? ''] ?? 1;
  const loss = new RegExp(`-A ${lossChain} -i ${escaped(cable.inside)} .*--probability ([\\d.]+)`).exec(text);
  return {
    rateBitPerS: rate === null ? null : Number(rate[1]) * factor,
    lossRatio: loss === null ? null : Number(Number(loss[1]).toFixed(6)),
    isUp: /<[^>]*\bUP\b[^>]*>/.test(text),
  };
}

function lossCommands({ inside }: Cable, lossRatio: number): NetworkCommand[] {
  const rule = ['-i', inside, '-m', 'statistic', '--mode', 'random', '--probability'];
  const commands = ownChain(lossChain);
  // One rule an interface: whatever stood there goes first.
  commands.push(['sh', '-c', removeRulesOf(lossChain, inside)]);
  if (lossRatio > 0) commands.push(['iptables', '-A', lossChain, ...rule, String(lossRatio), '-j', 'DROP']);
  return commands;
}

/** iptables has no "delete all that match". */
function removeRulesOf(chain: string, device: string): string {
  return `iptables -S ${chain} | grep -- '-i ${checked(device)} ' | sed 's/^-A/-D/' | while read -r rule; do iptables $rule; done`;
}

/** Makes a chain of ours that INPUT passes through, if it is not there yet. */
function ownChain(chain: string): NetworkCommand[] {
  return [
    ifThere(`iptables -N ${chain}`),
    ['sh', '-c', `iptables -C INPUT -j ${chain} 2>/dev/null || iptables -A INPUT -j ${chain}`],
  ];
}

function tokenBucket(rateBitPerS: number): string[] {
  const burstBytes = Math.max(burstBytesMin, Math.ceil((rateBitPerS / 8) * burstSeconds));
  return ['tbf', 'rate', `${rateBitPerS}bit`, 'burst', String(burstBytes), 'latency', queueLatency];
}

function qdisc(device: string, discipline: readonly string[]): NetworkCommand {
  return ['tc', 'qdisc', 'replace', 'dev', device, 'root', ...discipline];
}

function withoutQdisc(device: string): NetworkCommand {
  return ifThere(`tc qdisc del dev ${checked(device)} root`);
}

/** An interface's name comes from the kernel, and goes into a script here. */
function checked(device: string): string {
  if (/^[A-Za-z0-9_.-]{1,15}$/.test(device)) return device;
  throw new TypeError(`${device} is no interface's name`);
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
