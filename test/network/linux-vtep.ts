/**
 * Runs inside a network namespace of its own (unshare -rn): makes a second one with a Linux `vxlan` device, joins
 * the two by a veth pair, and lets a virtual switch of ours talk to the kernel. Prints one JSON object.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { formatMac, securityPolicyDefault, VirtualSwitch, VxlanTunnel } from '@skein/network';
import { InnerStation } from './inner-station.ts';

export interface LinuxVtepReport {
  /** The kernel's MAC as it answered ARP. */
  readonly resolvedMac: string;
  readonly echoedBytes: number;
  /** What a program in the kernel's namespace sent to our station. */
  readonly datagram: string;
  /** The kernel's forwarding entry for an address that was only announced. */
  readonly announcedEntry: string;
  /** Drops at our switch after the kernel's address was given to another host. */
  readonly droppedAfterMove: Readonly<Record<string, number>>;
  readonly guard: { readonly offered: number; readonly sent: number; readonly dropped: number };
}

const ours = { address: '10.90.0.1', mac: '52:54:00:00:00:01', ipv4: 0x0a4d_0001, ipv4Text: '10.77.0.1' };
const kernel = { address: '10.90.0.2', mac: '52:54:00:00:00:02', ipv4: 0x0a4d_0002, ipv4Text: '10.77.0.2' };
const announcedMac = '52:54:00:00:00:03';
const vni = 42;
const vxlanPort = 4789;

const run = (command: string) =>
  execFileSync('/bin/sh', ['-ec', command], { encoding: 'utf8', timeout: 10_000 });

const holder = spawn('unshare', ['--net', '/bin/sh', '-c', 'echo ready; read line'], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
try {
  await once(holder.stdout, 'data');
  const pid = holder.pid;
  if (pid === undefined) throw new Error('unshare did not start');
  const inside = (command: string) => run(`nsenter --target ${pid} --net /bin/sh -ec '${command}'`);
  setUp(pid, inside);
  console.log(JSON.stringify(await meet(inside)));
} finally {
  holder.stdin.end();
}

function setUp(pid: number, inside: (command: string) => string): void {
  run(`ip link add va mtu 1600 type veth peer name vb mtu 1600 netns ${pid}
       ip address add ${ours.address}/24 dev va
       ip link set va up`);
  inside(`ip address add ${kernel.address}/24 dev vb
          ip link set vb up
          ip link add vx0 address ${kernel.mac} type vxlan id ${vni} dstport ${vxlanPort} local ${kernel.address} remote ${ours.address}
          ip link set vx0 mtu 1500 up
          ip address add ${kernel.ipv4Text}/24 dev vx0`);
}

async function meet(inside: (command: string) => string): Promise<LinuxVtepReport> {
  const tunnel = await VxlanTunnel.open({ address: ours.address, port: vxlanPort });
  const target = new VirtualSwitch({ host: 'h1', uplink: tunnel, nowMs: () => performance.now() });
  target.addPortGroup({ name: 'blue', vni, vlan: 0, policy: securityPolicyDefault });
  target.setPeers([{ host: 'linux', address: kernel.address, port: vxlanPort }]);
  target.setOwner({ vni, mac: kernel.mac, vm: 'vm-linux', host: 'linux', epoch: 1 });
  const lease = { isHeld: true };
  const addStation = (mac: string, vm: string) => {
    target.setOwner({ vni, mac, vm, host: 'h1', epoch: 1 });
    const deliver = (frame: Uint8Array) => {
      station.receive(frame);
      return true;
    };
    const port = target.addPort({
      portGroup: 'blue',
      vm,
      nic: 0,
      mac,
      epoch: 1,
      deliver,
      mayOutput: () => lease.isHeld,
    });
    const station = new InnerStation(mac, ours.ipv4, (frame) => target.transmit(port, frame));
    return { port, station };
  };
  const { port, station } = addStation(ours.mac, 'vm-1');

  const resolved = await station.resolve(kernel.ipv4);
  const echoed = await station.ping(resolved, kernel.ipv4, 1472);
  const arriving = station.nextDatagram();
  inside(`exec bash -c "echo -n hello > /dev/udp/${ours.ipv4Text}/9"`);
  const datagram = await arriving;

  const silent = addStation(announcedMac, 'vm-2');
  target.announce(silent.port);
  target.removePort(silent.port);
  const announcedEntry = await poll(() =>
    inside('bridge fdb show dev vx0')
      .split('\n')
      .find((line) => line.startsWith(announcedMac)),
  );

  const before = target.status().uplink.dropped['not-owner'] ?? 0;
  target.setOwner({ vni, mac: kernel.mac, vm: 'vm-linux', host: 'h9', epoch: 2 });
  inside(`exec bash -c "echo -n stale > /dev/udp/${ours.ipv4Text}/9"`);
  await poll(() => (target.status().uplink.dropped['not-owner'] ?? 0) > before || undefined);
  const droppedAfterMove = target.status().uplink.dropped;

  target.setOwner({ vni, mac: kernel.mac, vm: 'vm-linux', host: 'linux', epoch: 3 });
  const guard = await stopWhileBlocked(tunnel, () => target.transmit(port, stationFrame()), lease);
  await tunnel.close();
  return {
    resolvedMac: formatMac(resolved),
    echoedBytes: echoed.length,
    datagram,
    announcedEntry,
    droppedAfterMove,
    guard,
  };
}

/** A broadcast of the largest size. */
function stationFrame(): Uint8Array {
  const frame = new Uint8Array(1514).fill(0xff, 0, 6);
  frame.set([0x52, 0x54, 0, 0, 0, 1, 0x88, 0xb5], 6); // local experimental EtherType (IEEE 802)
  return frame;
}

/** Fills the socket and the tunnel's queue behind a slow network, ends the lease, and lets the network go on. */
async function stopWhileBlocked(tunnel: VxlanTunnel, transmit: () => void, lease: { isHeld: boolean }) {
  run('tc qdisc add dev va root tbf rate 100kbit burst 4kb limit 8mb');
  const offered = 1000;
  const start = tunnel.counters();
  for (let count = 0; count < offered; count += 1) transmit();
  lease.isHeld = false;
  run('tc qdisc delete dev va root');
  const done = await poll(() => {
    const now = tunnel.counters();
    const sent = now.sentPackets + now.sendErrors - start.sentPackets - start.sendErrors;
    const dropped = now.droppedByGuard - start.droppedByGuard;
    return sent + dropped === offered ? { sent, dropped } : undefined;
  });
  return { offered, ...done };
}

async function poll<T>(look: () => T | undefined): Promise<T> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const found = look();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`did not come within 10 s: ${look}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
