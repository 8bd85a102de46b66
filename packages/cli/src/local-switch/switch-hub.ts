/**
 * The switch itself: one of the machines that named it has it, and the others are connected to it through a socket of the
 * file system. Each member has a port with the address that its first frame comes from; what is sent with another one is
 * dropped (network/forward). A member that does not read loses frames and holds nobody up.
 */
import { randomBytes } from 'node:crypto';
import { renameSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import {
  formatMac,
  isGroupMac,
  type PortId,
  securityPolicyDefault,
  sourceOf,
  VirtualSwitch,
} from '@skein/network';
import { encodeFrame, FrameDecoder } from './frame-stream.ts';

const segment = 'lan';
/** What may wait for a member that reads slowly. */
const backlogBytesMax = 1 << 20;
const checkMs = 1000;

export interface SwitchHubOptions {
  readonly path: string;
  readonly mac: string;
  readonly onFrame: (frame: Uint8Array) => void;
  /** Another hub has taken the place: whoever is here must join that one. */
  readonly onReplaced: () => void;
}

export class SwitchHub {
  readonly #switch = new VirtualSwitch({
    host: 'local',
    nowMs: () => performance.now(),
    unownedSources: 'accept',
  });
  readonly #members = new Set<Socket>();
  readonly #server: Server;
  readonly #own: PortId;
  readonly #path: string;
  /** Of the socket's name, which tells ours from another hub's. */
  readonly #inode: number;
  #portCount = 0;
  #timer: NodeJS.Timeout | null = null;

  private constructor(server: Server, inode: number, { path, mac, onFrame }: SwitchHubOptions) {
    this.#server = server;
    this.#path = path;
    this.#inode = inode;
    this.#switch.addPortGroup({ name: segment, vni: null, vlan: 0, policy: securityPolicyDefault });
    this.#own = this.#addPort(mac, (frame) => {
      onFrame(Uint8Array.from(frame));
      return true;
    });
    server.on('connection', (socket) => this.#admit(socket));
  }

  /**
   * Takes the place of whatever stands at the path. It listens under a name of its own first and then gives that the path: the
   * place is never empty, and of two that take it at the same time each knows which socket is its own.
   */
  static async open(options: SwitchHubOptions): Promise<SwitchHub> {
    const server = createServer();
    const ownPath = join(dirname(options.path), randomBytes(3).toString('hex'));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(ownPath, resolve);
    });
    server.unref();
    const hub = new SwitchHub(server, statSync(ownPath).ino, options);
    renameSync(ownPath, options.path);
    hub.#watch(options.onReplaced);
    return hub;
  }

  send(frame: Uint8Array): void {
    this.#switch.transmit(this.#own, frame);
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    if (this.#hasPlace) rmSync(this.#path, { force: true });
    this.#server.close();
    for (const socket of this.#members) socket.destroy();
  }

  /** Two that find a switch dead at the same time may both take its place; the last one has it. */
  #watch(onReplaced: () => void): void {
    this.#timer = setInterval(() => {
      if (this.#hasPlace) return;
      this.close();
      onReplaced();
    }, checkMs).unref();
  }

  get #hasPlace(): boolean {
    return statSync(this.#path, { throwIfNoEntry: false })?.ino === this.#inode;
  }

  #admit(socket: Socket): void {
    socket.unref();
    const decoder = new FrameDecoder();
    let port: PortId | null = null;
    this.#members.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#members.delete(socket);
      if (port !== null) this.#switch.removePort(port);
    });
    socket.on('data', (piece) => {
      try {
        for (const frame of decoder.push(piece)) {
          port ??= this.#addMember(socket, frame);
          this.#switch.transmit(port, frame);
        }
      } catch {
        socket.destroy();
      }
    });
  }

  /** @throws RangeError for an address that no station has */
  #addMember(socket: Socket, first: Uint8Array): PortId {
    const mac = sourceOf(first);
    if (mac === 0 || isGroupMac(mac)) throw new RangeError('no address of a station');
    return this.#addPort(formatMac(mac), (frame) => {
      if (socket.writableLength > backlogBytesMax) return false;
      socket.write(encodeFrame(frame));
      return true;
    });
  }

  #addPort(mac: string, deliver: (frame: Uint8Array) => boolean): PortId {
    this.#portCount += 1;
    const vm = `machine-${this.#portCount}`;
    return this.#switch.addPort({
      portGroup: segment,
      vm,
      nic: 0,
      mac,
      epoch: 1,
      deliver,
      mayOutput: () => true,
    });
  }
}
