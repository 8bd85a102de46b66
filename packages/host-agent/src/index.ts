export { type RunningAgent, startAgent } from './agent.ts';
export { PageReceiver } from './migration/page-receiver.ts';
export { PageSender } from './migration/page-sender.ts';
export { transferWorkerLimits } from './migration/transfer-channel.ts';
export { vmDevices } from './vm/vm-board.ts';
