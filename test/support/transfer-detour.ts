/**
 * Preloaded into the programs of a cluster (node --import): what a thread that is not its program's main one dials on
 * the migration network, which is the transfer worker of a migration's target, goes by way of a `TransferRelay`, to
 * which a first line tells whom was meant.
 */
import { type NetConnectOpts, Socket, type TcpNetConnectOpts } from 'node:net';
import { isMainThread } from 'node:worker_threads';

export const relayVariable = 'SKEIN_TEST_TRANSFER_RELAY';

/** `127.<cluster>.2.<host>`: cli/src/cluster/addresses.ts. */
const onMigrationNetwork = /^127\.\d+\.2\.\d+$/;

const relayPort = Number(process.env[relayVariable]);
if (!isMainThread && relayPort > 0) detour(relayPort);

function detour(port: number): void {
  const connect = Socket.prototype.connect as (this: Socket, ...args: unknown[]) => Socket;
  Socket.prototype.connect = function (this: Socket, ...args: unknown[]): Socket {
    // node:net passes what it was given as one list; everybody else, the options themselves.
    const first = args[0] as NetConnectOpts | NetConnectOpts[];
    const options = (Array.isArray(first) ? first[0] : first) as TcpNetConnectOpts;
    const { host, port: meant, localAddress } = options;
    // A worker that dials its own host rehearses.
    if (host === undefined || host === localAddress || !onMigrationNetwork.test(host))
      return connect.apply(this, args);
    Object.assign(options, { host: '127.0.0.1', port });
    const socket = connect.apply(this, args);
    socket.write(`${host} ${meant}\n`);
    return socket;
  } as typeof Socket.prototype.connect;
}
