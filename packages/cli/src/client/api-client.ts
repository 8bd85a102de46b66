/**
 * The coordinator's REST API, typed by the schemas that both sides share: a reply that is not what they say is an
 * error, not a surprise later. Every request has a deadline.
 */
import {
  ChangeReply,
  ClusterEvent,
  ClusterInfo,
  CreateJoinTokenReply,
  type CreateJoinTokenRequest,
  type CreateVmRequest,
  ErrorCodeSchema,
  HostView,
  JoinTokenView,
  type MigrateVmRequest,
  type ObservedClock,
  type ObservedGap,
  OperationError,
  OperationView,
  VmView,
} from '@skein/shared';
import type { ApiAccess } from './access.ts';
import { readServerSentEvents } from './server-sent-events.ts';

/** What of a zod schema is used here; zod itself is a dependency of `shared` alone. */
interface Schema<T> {
  safeParse(
    value: unknown,
  ):
    | { readonly success: true; readonly data: T }
    | { readonly success: false; readonly error: { readonly message: string } };
}

/** What a caller may write: what has a default may be left out. */
export type CreateVm = Partial<CreateVmRequest> & Pick<CreateVmRequest, 'name' | 'image'>;

const requestDeadlineMs = 15_000;
const replyBytesMax = 64 << 20;
const eventPage = 500;
const operationsMax = 1000;

export class ApiClient {
  readonly #access: ApiAccess;

  constructor(access: ApiAccess) {
    this.#access = access;
  }

  get url(): string {
    return this.#access.url;
  }

  cluster(): Promise<ClusterInfo> {
    return this.#get('/v1/cluster', ClusterInfo);
  }

  hosts(): Promise<readonly HostView[]> {
    return this.#list('/v1/hosts', HostView);
  }

  vms(): Promise<readonly VmView[]> {
    return this.#list('/v1/vms', VmView);
  }

  vm(name: string): Promise<VmView> {
    return this.#get(`/v1/vms/${encodeURIComponent(name)}`, VmView);
  }

  /** The newest first. */
  operations(): Promise<readonly OperationView[]> {
    return this.#list(`/v1/operations?limit=${operationsMax}`, OperationView);
  }

  operation(id: string): Promise<OperationView> {
    return this.#get(`/v1/operations/${encodeURIComponent(id)}`, OperationView);
  }

  /** The operation as it is then: ended, or about to be given up. */
  async cancelOperation(id: string): Promise<OperationView> {
    const path = `/v1/operations/${encodeURIComponent(id)}/cancel`;
    return this.#check(path, OperationView, await this.#request('POST', path, undefined));
  }

  /** The migration with what was observed of it by this clock. */
  async observeMigration(id: string, clock: ObservedClock, gap: ObservedGap): Promise<OperationView> {
    const path = `/v1/operations/${encodeURIComponent(id)}/observation/${clock}`;
    return this.#check(path, OperationView, await this.#request('PUT', path, gap));
  }

  /** Events after this sequence, oldest first, page by page up to the present. */
  async *events(after: number): AsyncGenerator<ClusterEvent> {
    for (let cursor = after; ; ) {
      const path = `/v1/events?after=${cursor}&limit=${eventPage}`;
      const reply = (await this.#request('GET', path, undefined)) as { readonly events?: unknown } | null;
      const page = this.#items(path, ClusterEvent, reply?.events);
      yield* page;
      const last = page.at(-1);
      if (last === undefined || last.sequence <= cursor) return;
      cursor = last.sequence;
    }
  }

  async allEvents(): Promise<readonly ClusterEvent[]> {
    const events: ClusterEvent[] = [];
    for await (const event of this.events(0)) events.push(event);
    return events;
  }

  /** The host as it was. */
  async removeHost(name: string): Promise<HostView> {
    const path = `/v1/hosts/${encodeURIComponent(name)}`;
    return this.#check(path, HostView, await this.#request('DELETE', path, undefined));
  }

  /** The host as it is then. */
  async setHostMaintenance(name: string, isOn: boolean): Promise<HostView> {
    const path = `/v1/hosts/${encodeURIComponent(name)}/maintenance`;
    return this.#check(path, HostView, await this.#request('POST', path, { isOn }));
  }

  createVm(request: CreateVm): Promise<ChangeReply> {
    return this.#change('POST', '/v1/vms', request);
  }

  startVm(name: string, request: { readonly host?: string }): Promise<ChangeReply> {
    return this.#change('POST', `/v1/vms/${encodeURIComponent(name)}/start`, request);
  }

  async createToken(request: CreateJoinTokenRequest): Promise<CreateJoinTokenReply> {
    const path = '/v1/tokens';
    return this.#check(path, CreateJoinTokenReply, await this.#request('POST', path, request));
  }

  tokens(): Promise<readonly JoinTokenView[]> {
    return this.#list('/v1/tokens', JoinTokenView);
  }

  async revokeToken(id: string): Promise<JoinTokenView> {
    const path = `/v1/tokens/${encodeURIComponent(id)}`;
    return this.#check(path, JoinTokenView, await this.#request('DELETE', path, undefined));
  }

  stopVm(name: string): Promise<ChangeReply> {
    return this.#change('POST', `/v1/vms/${encodeURIComponent(name)}/stop`, {});
  }

  migrateVm(name: string, request: Partial<MigrateVmRequest>): Promise<ChangeReply> {
    return this.#change('POST', `/v1/vms/${encodeURIComponent(name)}/migrate`, request);
  }

  deleteVm(name: string): Promise<ChangeReply> {
    return this.#change('DELETE', `/v1/vms/${encodeURIComponent(name)}`, undefined);
  }

  /**
   * The ordered stream of events after a sequence, without end; ends with the signal.
   * @throws OperationError coordinator.unreachable when it breaks: call again with the last sequence seen
   */
  async *watchEvents(after: number, signal: AbortSignal): AsyncGenerator<ClusterEvent> {
    const response = await this.#fetch('/v1/events', {
      signal,
      headers: { accept: 'text/event-stream', 'last-event-id': String(after) },
    });
    if (!response.ok) throw await problemOf(response);
    if (response.body === null) return;
    try {
      for await (const { data } of readServerSentEvents(response.body)) {
        yield this.#check('/v1/events', ClusterEvent, parseJson(data));
      }
    } catch (error) {
      if (signal.aborted) return;
      throw this.#explain(error);
    }
  }

  async #get<T>(path: string, schema: Schema<T>): Promise<T> {
    return this.#check(path, schema, await this.#request('GET', path, undefined));
  }

  async #list<T>(path: string, schema: Schema<T>): Promise<readonly T[]> {
    return this.#items(path, schema, await this.#request('GET', path, undefined));
  }

  #items<T>(path: string, schema: Schema<T>, items: unknown): readonly T[] {
    if (!Array.isArray(items)) throw this.#unexpected(path, 'it is no list');
    return items.map((item: unknown) => this.#check(path, schema, item));
  }

  async #change(method: string, path: string, body: unknown): Promise<ChangeReply> {
    return this.#check(path, ChangeReply, await this.#request(method, path, body));
  }

  async #request(method: string, path: string, body: unknown): Promise<unknown> {
    const isChange = method !== 'GET';
    const response = await this.#fetch(path, {
      method,
      signal: AbortSignal.timeout(requestDeadlineMs),
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        // A repetition after a lost reply has one effect.
        ...(isChange ? { 'idempotency-key': crypto.randomUUID() } : {}),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw await problemOf(response);
    if (Number(response.headers.get('content-length') ?? 0) > replyBytesMax) {
      throw this.#unexpected(path, 'it is too long');
    }
    return parseJson(await response.text().catch((error: unknown) => Promise.reject(this.#explain(error))));
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    const authorization = `Bearer ${Buffer.from(this.#access.token).toString('hex')}`;
    try {
      return await fetch(`${this.#access.url}${path}`, {
        ...init,
        redirect: 'error',
        headers: { ...(init.headers as Record<string, string>), authorization },
      });
    } catch (error) {
      throw this.#explain(error);
    }
  }

  #check<T>(path: string, schema: Schema<T>, value: unknown): T {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    throw this.#unexpected(path, parsed.error.message);
  }

  #unexpected(path: string, reason: string): OperationError {
    return new OperationError({
      code: 'internal',
      message: `the coordinator's reply to ${path} is not what this skein expects (other version?): ${reason.slice(0, 500)}`,
    });
  }

  #explain(error: unknown): OperationError {
    if (error instanceof OperationError) return error;
    const cause = error instanceof Error ? (error.cause ?? error) : error;
    const reason = (cause as NodeJS.ErrnoException).code ?? (cause as Error).message ?? String(cause);
    if (error instanceof DOMException && error.name === 'TimeoutError') {
      return new OperationError({
        code: 'coordinator.unreachable',
        message: `the coordinator at ${this.url} does not answer within ${requestDeadlineMs / 1000} s`,
        cause: error,
      });
    }
    return new OperationError({
      code: 'coordinator.unreachable',
      message: `the coordinator at ${this.url} cannot be reached (${reason}); see \`skein doctor\`, or start a cluster with \`skein up\``,
      cause: error,
    });
  }
}

/** Problem details (RFC 9457) as our error; what is no such thing is told by its status. */
async function problemOf(response: Response): Promise<OperationError> {
  const text = (await response.text().catch(() => '')).slice(0, 100_000);
  const body = parseJson(text) as {
    readonly code?: unknown;
    readonly message?: unknown;
    readonly detail?: unknown;
    readonly details?: unknown;
  } | null;
  const code = ErrorCodeSchema.safeParse(body?.code);
  const message = body?.message ?? body?.detail;
  if (code.success && typeof message === 'string') {
    const details = body?.details;
    return new OperationError({
      code: code.data,
      message,
      ...(typeof details === 'object' && details !== null
        ? { details: details as Readonly<Record<string, unknown>> }
        : {}),
    });
  }
  if (response.status === 401) {
    return new OperationError({
      code: 'link.unauthenticated',
      message: 'the coordinator refuses the API token; SKEIN_TOKEN_FILE may be of another cluster',
    });
  }
  return new OperationError({
    code: 'internal',
    message: `the coordinator answered ${response.status} ${text.slice(0, 200)}`.trim(),
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
