/** Entry of the switch worker: opens the uplink on the guest network, if this host has one, and runs the switch. */
import { parentPort, workerData } from 'node:worker_threads';
import { Doorbell, VirtualSwitch, VxlanTunnel } from '@skein/network';
import { invariant, OperationError } from '@skein/shared';
import type { SwitchCommand, SwitchEvent, SwitchWorkerData } from './switch-channel.ts';
import { SwitchLoop } from './switch-loop.ts';

invariant(parentPort !== null, 'switch.worker runs as a worker thread');
const port = parentPort;
const data = workerData as SwitchWorkerData;
const tell = (event: SwitchEvent): void => port.postMessage(event);

try {
  const tunnel =
    data.guestAddress === null
      ? null
      : await VxlanTunnel.open({ address: data.guestAddress, port: data.vxlanPort });
  const virtualSwitch = new VirtualSwitch({
    host: data.host,
    nowMs: () => Number(process.hrtime.bigint() / 1_000_000n),
    ...(tunnel === null ? {} : { uplink: tunnel }),
  });
  const loop = new SwitchLoop(virtualSwitch, Doorbell.attach(data.doorbell), tell);
  port.on('message', (command: SwitchCommand) => loop.obey(command));
  tell({ type: 'listening', port: tunnel?.port ?? null });
  await loop.run();
} catch (error) {
  const code = error instanceof OperationError ? error.code : 'internal';
  const isAddress = code === 'address.in-use' || code === 'address.unavailable';
  tell({
    type: 'refused',
    code: isAddress ? code : 'internal',
    message: error instanceof Error ? error.message : String(error),
  });
}
