/** What programs of ours that act on a cluster share with `skein`: finding it, its API, its guests' consoles. */
export { type ClusterAccess, findCluster } from './client/access.ts';
export { ApiClient } from './client/api-client.ts';
export { awaitOperation } from './client/follow-operation.ts';
export { GuestConsole } from './client/guest-console.ts';
export { GapMeter } from './observe/gap-meter.ts';
export { type EchoReply, parseEchoReply } from './observe/readings.ts';
