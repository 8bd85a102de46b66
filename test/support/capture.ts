/** Frames on an interface in a program's network namespace, taken by tcpdump(8): nothing of ours stands between. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { decodeVxlan, vxlanOverheadBytes } from '@skein/network';

/** A guest's frame in its VXLAN packet. */
export interface TunnelledFrame {
  /** The hosts' addresses. */
  readonly from: string;
  readonly to: string;
  readonly fromPort: number;
  /** The UDP datagram's content: VXLAN header and frame. */
  readonly packet: Uint8Array;
  /** The guest's own. */
  readonly sourceMac: string;
}

const ethernetHeaderBytes = 14;

export class Capture {
  readonly #file: string;
  readonly #tcpdump: ChildProcess;

  private constructor(file: string, tcpdump: ChildProcess) {
    this.#file = file;
    this.#tcpdump = tcpdump;
  }

  /** Of VXLAN packets, on an interface of the namespace in which the process is; resolves when it is taking them. */
  static async start(pid: number, device: string, file: string): Promise<Capture> {
    const options = ['-n', '-U', '--immediate-mode', '-Z', 'root', '-i', device, '-w', file];
    const words = ['--target', String(pid), '--net', '--', 'tcpdump', ...options, 'udp port 4789'];
    const tcpdump = spawn('nsenter', words, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    tcpdump.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    while (!said.includes('listening on')) {
      await Promise.race([once(tcpdump.stderr, 'data'), once(tcpdump, 'exit')]);
      if (tcpdump.exitCode !== null) throw new Error(`tcpdump: ${said}`);
    }
    return new Capture(file, tcpdump);
  }

  /** What it has taken so far. */
  frames(): TunnelledFrame[] {
    return framesIn(readFileSync(this.#file)).map(readTunnelled);
  }

  async stop(): Promise<TunnelledFrame[]> {
    const ended = once(this.#tcpdump, 'exit');
    this.#tcpdump.kill('SIGINT');
    await ended;
    return this.frames();
  }
}

/** Source: pcap-savefile(5); little endian, as this machine is. A last frame that is half written is left out. */
function framesIn(file: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  let at = 24;
  while (at + 16 <= file.length) {
    const bytes = file.readUInt32LE(at + 8);
    if (at + 16 + bytes > file.length) break;
    frames.push(file.subarray(at + 16, at + 16 + bytes));
    at += 16 + bytes;
  }
  return frames;
}

/** Ethernet, IPv4 without options, UDP, VXLAN, and the guest's own Ethernet header. */
function readTunnelled(frame: Buffer): TunnelledFrame {
  const address = (at: number): string => [...frame.subarray(at, at + 4)].join('.');
  const packet = frame.subarray(ethernetHeaderBytes + vxlanOverheadBytes - 8);
  const inner = decodeVxlan(packet)?.frame ?? new Uint8Array();
  return {
    from: address(ethernetHeaderBytes + 12),
    to: address(ethernetHeaderBytes + 16),
    fromPort: frame.readUInt16BE(ethernetHeaderBytes + 20),
    packet,
    sourceMac: [...inner.subarray(6, 12)].map((octet) => octet.toString(16).padStart(2, '0')).join(':'),
  };
}
