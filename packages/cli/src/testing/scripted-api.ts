/** An HTTP server that answers as a script says: the other end of the API client, on a real socket. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type ClusterInfo,
  type HostView,
  nothingObserved,
  type OperationView,
  type VmView,
} from '@skein/shared';

export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
}

export type Answer = (request: ReceivedRequest, response: ServerResponse) => void;

export class ScriptedApi {
  readonly requests: ReceivedRequest[] = [];
  readonly #server: Server;

  private constructor(answer: Answer) {
    this.#server = createServer((incoming, response) => {
      void readBody(incoming).then((body) => {
        const { method = '', url = '', headers } = incoming;
        const request = { method, path: url, headers, body };
        this.requests.push(request);
        answer(request, response);
      });
    });
  }

  static async start(answer: Answer): Promise<ScriptedApi> {
    const api = new ScriptedApi(answer);
    await new Promise<void>((resolve) => api.#server.listen(0, '127.0.0.1', resolve));
    return api;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export function answerJson(response: ServerResponse, status: number, body: unknown): void {
  const type = status < 400 ? 'application/json' : 'application/problem+json';
  response.writeHead(status, { 'content-type': type }).end(JSON.stringify(body));
}

export const exampleCluster: ClusterInfo = {
  cluster: 'test',
  version: '0',
  pid: 1,
  clientPort: 1,
  startedAtMs: 0,
  declared: { vms: 0, ready: 0, waiting: [] },
};

export const exampleHost: HostView = {
  name: 'h1',
  state: 'connected',
  reason: null,
  isInMaintenance: false,
  machineVersion: 1,
  pid: 4242,
  bootId: 'ab'.repeat(16),
  capacity: { cpuMhz: 200, memoryMib: 1024 },
  usedMemoryMib: 128,
  usedMhz: 12.5,
  vms: 1,
  lostPeers: [],
  addresses: { management: '127.42.1.11' },
};

export const exampleVm: VmView = {
  id: 'vm-0123456789abcdef',
  name: 'web1',
  spec: {
    id: 'vm-0123456789abcdef',
    name: 'web1',
    power: 'on',
    restartPriority: 3,
    machine: {
      memoryMib: 128,
      image: '0'.repeat(64),
      nics: [{ mac: '52:54:00:00:00:01', segment: 'lan', address: '10.77.0.11/24' }],
      bootArguments: '',
      cpu: { reservationMhz: 0, shares: 1000 },
    },
  },
  state: 'running',
  host: 'h1',
  epoch: 1,
  reason: null,
  operation: null,
  kernel: '6.12.0-riscv64',
  firstStepMs: 12,
  readyMs: 4321,
  startedFrom: 'kernel',
  usedMhz: 20.4,
};

export const exampleOperation: OperationView = {
  id: 'op-0123456789abcdef',
  kind: 'vm-start',
  state: 'running',
  vm: exampleVm.id,
  vmName: 'web1',
  host: 'h1',
  targetHost: null,
  reason: 'asked for',
  createdAtMs: 1_700_000_000_000,
  endedAtMs: null,
  timeline: [{ name: 'placed', atMs: 1_700_000_000_012, detail: 'h1 is the least loaded' }],
  waiting: null,
  progress: null,
  problem: null,
  migration: null,
  observation: nothingObserved,
};

async function readBody(incoming: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of incoming) text += String(chunk);
  return text === '' ? undefined : (JSON.parse(text) as unknown);
}
