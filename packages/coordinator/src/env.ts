/**
 * The world as deciding code sees it: time, chance, the storage service and the agents. Production gives it sockets
 * and clocks; a simulator can give it virtual ones, and the same code decides. (style: pve-ha-manager's Env.)
 */
import type { agentCoordinatorProtocol, HostName, LeaseView, VmId } from '@skein/shared';
import type { ReplyOf, RequestInput, RequestName } from '@skein/transport';

export type AgentCommands = (typeof agentCoordinatorProtocol)['fromListener'];
export type AgentCommandName = RequestName<AgentCommands>;

export interface Environment {
  /** Monotonic, in ms: orders and measures everything. */
  nowMs(): number;
  /** Unix time in ms, for people: orders nothing. */
  wallMs(): number;
  randomHex(bytes: number): string;
  /** @throws OperationError link.closed, link.timeout */
  readLease(vm: VmId): Promise<LeaseView | null>;
  /** @throws OperationError link.closed, link.timeout */
  listLeases(): Promise<readonly LeaseView[]>;
  /** @throws OperationError what the agent answered, or link.closed, link.timeout */
  command<N extends AgentCommandName>(
    host: HostName,
    name: N,
    body: RequestInput<AgentCommands, N>,
    deadlineMs: number,
  ): Promise<ReplyOf<AgentCommands, N>>;
}
