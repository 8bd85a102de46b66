/** What is planned is read back from what the tools print; the tools themselves are met in test/compose. */
import { describe, expect, it } from 'vitest';
import { cutPlan, deafenPlan, healPlan, readShown, resetPlan, shapePlan } from './link-plan.ts';

const cable = {
  host: 'h1',
  network: 'migration',
  address: '10.89.2.2',
  inside: 'eth2',
  outside: 'veth12ab',
} as const;
const lines = (commands: readonly (readonly string[])[]): string[] =>
  commands.map((words) => words.join(' '));

describe('the plan for a link', () => {
  it('limits the rate at both ends of the cable, with a burst of 10 ms', () => {
    const { inHost, inNetworks } = shapePlan(cable, { rateBitPerS: 1e9 });
    expect(lines(inHost)).toEqual([
      'tc qdisc replace dev eth2 root tbf rate 1000000000bit burst 1250000 latency 50ms',
    ]);
    expect(lines(inNetworks)).toEqual([
      'tc qdisc replace dev veth12ab root tbf rate 1000000000bit burst 1250000 latency 50ms',
    ]);
    expect(lines(shapePlan(cable, { rateBitPerS: 1e6 }).inHost)[0]).toContain('burst 131072');
  });

  it('loses packets in a chain of its own, one rule an interface', () => {
    const commands = lines(shapePlan(cable, { lossRatio: 0.01 }).inHost);
    expect(commands.at(-1)).toBe(
      'iptables -A SKEIN-LOSS -i eth2 -m statistic --mode random --probability 0.01 -j DROP',
    );
    expect(commands.every((command) => command.includes('SKEIN-LOSS'))).toBe(true);
    expect(lines(resetPlan(cable).inHost).some((command) => command.includes(' -A SKEIN-LOSS -i'))).toBe(
      false,
    );
  });

  it('cuts and heals the interface, and deafens a host to one address only', () => {
    expect(lines(cutPlan(cable).inHost)).toEqual(['ip link set dev eth2 down']);
    expect(lines(healPlan(cable).inHost)).toEqual(['ip link set dev eth2 up']);
    expect(lines(deafenPlan(cable, '10.89.2.3').inHost).at(-1)).toBe(
      'iptables -A SKEIN-PARTITION -i eth2 -s 10.89.2.3 -j DROP',
    );
  });

  it('refuses an interface that could be a piece of a script', () => {
    expect(() => resetPlan({ ...cable, inside: 'eth0; reboot' })).toThrow(TypeError);
  });
});

describe('what the tools print', () => {
  const shaped = `qdisc tbf 8001: root refcnt 9 rate 100Mbit burst 128Kb lat 50ms
7: eth2@if8: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc tbf state UP mode DEFAULT
-P INPUT ACCEPT
-A SKEIN-LOSS -i eth2 -m statistic --mode random --probability 0.01000000000 -j DROP
`;

  it('tells rate, loss and whether the cable is in', () => {
    expect(readShown(cable, shaped)).toEqual({ rateBitPerS: 100e6, lossRatio: 0.01, isUp: true });
    const cut = 'qdisc noqueue 0: root refcnt 2\n7: eth2@if8: <BROADCAST,MULTICAST> mtu 1500 state DOWN\n';
    expect(readShown(cable, cut)).toEqual({ rateBitPerS: null, lossRatio: null, isUp: false });
  });

  it('is not mistaken for that of another interface', () => {
    expect(readShown({ ...cable, inside: 'eth22' }, shaped).lossRatio).toBeNull();
  });
});
