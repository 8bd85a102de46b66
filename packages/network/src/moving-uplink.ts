/**
 * An uplink whose address may change under a running switch: a network is disconnected, connected again with another
 * address, or its cable is pulled. While there is none, what should leave is dropped, as by a cable that is not there.
 */
import { CounterBlock } from '@skein/shared';
import type { Peer } from './forward.ts';
import {
  type TunnelCounterName,
  type TunnelPacket,
  tunnelCounterNames,
  type Uplink,
  VxlanTunnel,
} from './vxlan-tunnel.ts';

export class MovingUplink implements Uplink {
  #port: number;
  #tunnel: VxlanTunnel | null = null;
  #receive: ((packet: TunnelPacket) => void) | null = null;
  #moving: Promise<void> = Promise.resolve();
  readonly #counters: CounterBlock<TunnelCounterName>;

  /** UDP port on every address; 0 asks for a free one, which is then kept. `counters` are of all its tunnels. */
  constructor(port: number, counters = new CounterBlock(tunnelCounterNames)) {
    this.#port = port;
    this.#counters = counters;
  }

  /** The port in use, null without an address. */
  get port(): number | null {
    return this.#tunnel?.port ?? null;
  }

  /** One move after the other. @throws OperationError address.in-use, address.unavailable */
  moveTo(address: string | null): Promise<void> {
    const moved = this.#moving.catch(() => {}).then(() => this.#move(address));
    this.#moving = moved;
    return moved;
  }

  onPacket(receive: (packet: TunnelPacket) => void): void {
    this.#receive = receive;
    this.#tunnel?.onPacket(receive);
  }

  send(peers: readonly Peer[], vni: number, frame: Uint8Array, mayOutput: () => boolean): void {
    this.#tunnel?.send(peers, vni, frame, mayOutput);
  }

  async #move(address: string | null): Promise<void> {
    const before = this.#tunnel;
    this.#tunnel = null;
    await before?.close();
    if (address === null) return;
    this.#tunnel = await VxlanTunnel.open({ address, port: this.#port, counters: this.#counters });
    this.#port = this.#tunnel.port;
    if (this.#receive !== null) this.#tunnel.onPacket(this.#receive);
  }
}
