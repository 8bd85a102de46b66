/** Entry of the switch worker: opens the uplink on the guest network, if this host has one, and runs the switch. */
import { parentPort, workerData } from 'node:worker_threads';
import { Doorbell, MovingUplink, Traffic, tunnelCounterNames, VirtualSwitch } from '@skein/network';
import { CounterBlock, invariant, OperationError } from '@skein/shared';
import type { SwitchCommand, SwitchEvent, SwitchWorkerData } from './switch-channel.ts';
import { SwitchLoop } from './switch-loop.ts';

invariant(parentPort !== null, 'switch.worker runs as a worker thread');
const port = parentPort;
const data = workerData as SwitchWorkerData;
const tell = (event: SwitchEvent): void => port.postMessage(event);

try {
  const tunnelCounters = new CounterBlock(tunnelCounterNames, data.tunnelCounters);
  const uplink = data.hasUplink ? new MovingUplink(data.vxlanPort, tunnelCounters) : null;
  await uplink?.moveTo(data.guestAddress);
  const virtualSwitch = new VirtualSwitch({
    host: data.host,
    nowMs: () => Number(process.hrtime.bigint() / 1_000_000n),
    uplinkTraffic: new Traffic(data.uplinkTraffic),
    ...(uplink === null ? {} : { uplink }),
  });
  const loop = new SwitchLoop(virtualSwitch, Doorbell.attach(data.doorbell), tell);
  const move = async (address: string | null): Promise<void> => {
    await uplink?.moveTo(address).catch((error: unknown) => {
      tell({ type: 'uplink-down', message: error instanceof Error ? error.message : String(error) });
    });
    tell({ type: 'listening', port: uplink?.port ?? null });
  };
  port.on('message', (command: SwitchCommand) => {
    if (command.type === 'move-uplink') void move(command.address);
    else loop.obey(command);
  });
  tell({ type: 'listening', port: uplink?.port ?? null });
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
