/**
 * The gateway of a cluster in namespaces: `node gateway.ts --config FILE`, started in the networks' namespace, which
 * lives as long as this process. What it listens on it did not open: a socket belongs to the namespace in which it was
 * made (network_namespaces(7)), so `skein up` listens on the machine's loopback and hands the sockets over its channel.
 * Each connection goes on to the coordinator as it is: who may do what is decided there.
 */
import { connect, Server, type Socket } from 'node:net';
import { OperationError } from '@skein/shared';
import { runProgram } from '@skein/transport';
import { GatewayConfig, HandedSocket } from './gateway-config.ts';

const connectionsMax = 1024;
const handedWithinMs = 10_000;

await runProgram(GatewayConfig, async ({ address, ports }) => {
  const servers = await handedServers(ports);
  const open = new Set<Socket>();
  for (const [port, server] of servers) {
    server.maxConnections = connectionsMax;
    server.on('connection', (outside) => relay(outside, connect({ host: address, port }), open));
  }
  return {
    ready: { address, ports },
    close: async () => {
      for (const server of servers.values()) server.close();
      for (const socket of open) socket.destroy();
    },
  };
});

/**
 * The sockets that `skein up` hands over before it lets go of us. If it ends first, nobody knows of us, and so we end.
 * @throws OperationError process.died, timeout
 */
function handedServers(ports: readonly number[]): Promise<ReadonlyMap<number, Server>> {
  const servers = new Map<number, Server>();
  return new Promise((resolve, reject) => {
    const late = new OperationError({
      code: 'timeout',
      message: 'the sockets to listen on were not handed over',
    });
    const timer = setTimeout(() => reject(late), handedWithinMs);
    process.once('disconnect', () => {
      clearTimeout(timer);
      const gone = 'skein up ended before it handed over the sockets to listen on';
      if (servers.size === ports.length) resolve(servers);
      else reject(new OperationError({ code: 'process.died', message: gone }));
    });
    process.on('message', (message, handle) => {
      const { port } = HandedSocket.parse(message);
      if (handle instanceof Server && ports.includes(port)) servers.set(port, handle);
    });
    process.send?.({ isListening: true });
  });
}

function relay(outside: Socket, inside: Socket, open: Set<Socket>): void {
  for (const [from, to] of [
    [outside, inside],
    [inside, outside],
  ] as const) {
    open.add(from);
    from.setNoDelay(true);
    from.pipe(to);
    // Nobody listens inside: outside too the connection is reset, not ended as if all were said.
    from.once('error', () => to.resetAndDestroy());
    from.once('close', () => {
      open.delete(from);
      to.destroySoon();
    });
  }
}
