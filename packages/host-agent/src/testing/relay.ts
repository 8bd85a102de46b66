/**
 * A cable between a dialer and a listener that can be cut in each direction: what is sent then is held, as TCP holds it
 * when the network beneath loses everything, and goes on when the cable is whole again.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export class Relay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** From the dialer to the listener, and back. */
  readonly #cut = { there: false, back: false };
  readonly #ends: { readonly from: Socket; readonly direction: 'there' | 'back' }[] = [];

  private constructor(server: Server) {
    this.#server = server;
  }

  static async to(target: { readonly address: string; readonly port: number }): Promise<Relay> {
    const server = createServer();
    const relay = new Relay(server);
    server.on('connection', (dialer) => relay.#join(dialer, connect(target.port, target.address)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return relay;
  }

  get address(): string {
    return '127.0.0.1';
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  cut(...directions: readonly ('there' | 'back')[]): void {
    for (const direction of directions) this.#cut[direction] = true;
    this.#follow();
  }

  heal(): void {
    this.#cut.there = false;
    this.#cut.back = false;
    this.#follow();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(dialer: Socket, listener: Socket): void {
    this.#ends.push({ from: dialer, direction: 'there' }, { from: listener, direction: 'back' });
    for (const [from, to] of [
      [dialer, listener],
      [listener, dialer],
    ] as const) {
      this.#sockets.add(from);
      from.on('data', (bytes) => to.write(bytes));
      // An end is news as well, and a cut cable carries none.
      from.on('end', () => to.end());
      from.on('error', () => {});
      from.on('close', () => {
        this.#sockets.delete(from);
        if (!this.#cut.there && !this.#cut.back) to.destroy();
      });
    }
    this.#follow();
  }

  #follow(): void {
    for (const { from, direction } of this.#ends) {
      if (this.#cut[direction]) from.pause();
      else from.resume();
    }
  }
}
