/**
 * Entry of the lease worker: heartbeats and lease renewals on sockets and a thread of their own, so that no bulk
 * and no busy main thread delays them (safety: rule 5).
 */
import { parentPort, workerData } from 'node:worker_threads';
import { invariant, timingDefaults } from '@skein/shared';
import { LeaseClient } from '@skein/storage';
import { HostLease } from './host-lease.ts';
import type { LeaseCommand, LeaseEvent, LeaseWorkerData } from './lease-channel.ts';
import { leaseFigures } from './lease-figures.ts';
import { MainLiveness, SleepDetector } from './main-liveness.ts';
import { VmLeases } from './vm-leases.ts';

invariant(parentPort !== null, 'lease.worker runs as a worker thread');
const port = parentPort;
const data = workerData as LeaseWorkerData;
const tell = (event: LeaseEvent): void => port.postMessage(event);
const liveness = new MainLiveness(data.liveness);
const sleep = new SleepDetector();
const figures = leaseFigures(data.figures);

const client = new LeaseClient({
  host: data.storage.address,
  port: data.storage.port,
  localAddress: data.storageAddress,
  own: { role: 'agent', name: data.host, bootId: data.bootId },
  authentication: data.authentication,
  timing: timingDefaults,
  onUp: () => {
    tell({ type: 'storage', down: null });
    leases.renewAll();
  },
  onDown: (down) => tell({ type: 'storage', down }),
});
const leases = new VmLeases({
  client,
  timing: timingDefaults,
  isMainAlive: () => liveness.isAlive(),
  tell,
  figures,
});
const hostLease = new HostLease({
  host: data.host,
  bootId: data.bootId,
  localAddress: data.managementAddress,
  coordinator: data.coordinator,
  authentication: data.authentication,
  timing: timingDefaults,
  isMainAlive: () => liveness.isAlive(),
  figures,
  onChange: (isHeld) => tell({ type: 'host-lease', isHeld }),
});
setInterval(() => {
  if (sleep.hasSlept()) leases.distrustDeadlines();
}, timingDefaults.heartbeatPeriodMs);
port.on('message', (command: LeaseCommand) => {
  if (command.type !== 'redial') leases.obey(command);
  else if (command.network === 'management') hostLease.redial();
  else client.redial();
});
