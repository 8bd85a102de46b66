/** The REST API's routes with their schemas: requests are validated by them, OpenAPI is generated from them. */
import { createRoute } from '@hono/zod-openapi';
import {
  ChangeReply,
  ClusterEvent,
  ClusterInfo,
  CreateJoinTokenReply,
  CreateJoinTokenRequest,
  CreateVmRequest,
  HostMaintenanceRequest,
  HostName,
  HostView,
  JoinTokenView,
  MigrateVmRequest,
  Name,
  ObservedClock,
  ObservedGap,
  OperationId,
  OperationView,
  StartVmRequest,
  VmView,
} from '@skein/shared';
import { z } from 'zod';
import { ScrapeTargets } from '../metrics/scrape-targets.ts';
import { ProblemDetails } from './problems.ts';

const json = <T extends z.ZodType>(schema: T) => ({ content: { 'application/json': { schema } } });

const answers = <T extends z.ZodType>(schema: T, description: string) => ({
  200: { ...json(schema), description },
  default: {
    content: { 'application/problem+json': { schema: ProblemDetails } },
    description: 'What went wrong, with a stable code',
  },
});

const security = [{ token: [] }];
const byVm = z.object({ name: Name });
const change = answers(ChangeReply, 'The VM, and the operation to follow');
const withBody = <T extends z.ZodType>(schema: T) => ({ ...json(schema), required: true });
/** Without a body the defaults count. */
const maybeBody = <T extends z.ZodType>(schema: T) => ({ ...json(schema), required: false });

export const pageLimitMax = 1000;
const limit = z.coerce.number().int().min(1).max(pageLimitMax).default(200);

export const EventQuery = z.strictObject({ after: z.coerce.number().int().min(0).optional(), limit });
export const EventPage = z.strictObject({ events: z.array(ClusterEvent), next: z.int() });

/** Where Prometheus finds the hosts; the metrics token is enough for it. */
export const scrapeTargetsPath = '/v1/scrape-targets';

export const routes = {
  scrapeTargets: createRoute({
    method: 'get',
    path: scrapeTargetsPath,
    security,
    responses: answers(ScrapeTargets, 'Where the metrics of each host are read (Prometheus, http_sd)'),
  }),
  cluster: createRoute({
    method: 'get',
    path: '/v1/cluster',
    security,
    responses: answers(ClusterInfo, 'The cluster'),
  }),
  hosts: createRoute({
    method: 'get',
    path: '/v1/hosts',
    security,
    responses: answers(z.array(HostView), 'All hosts, by name'),
  }),
  host: createRoute({
    method: 'get',
    path: '/v1/hosts/{name}',
    security,
    request: { params: z.object({ name: HostName }) },
    responses: answers(HostView, 'One host'),
  }),
  removeHost: createRoute({
    method: 'delete',
    path: '/v1/hosts/{name}',
    security,
    request: { params: z.object({ name: HostName }) },
    responses: answers(HostView, 'The host as it was; it must have failed'),
  }),
  maintenance: createRoute({
    method: 'post',
    path: '/v1/hosts/{name}/maintenance',
    security,
    request: { params: z.object({ name: HostName }), body: withBody(HostMaintenanceRequest) },
    responses: answers(HostView, 'The host; what runs there runs on'),
  }),
  vms: createRoute({
    method: 'get',
    path: '/v1/vms',
    security,
    responses: answers(z.array(VmView), 'All VMs, by name'),
  }),
  vm: createRoute({
    method: 'get',
    path: '/v1/vms/{name}',
    security,
    request: { params: byVm },
    responses: answers(VmView, 'One VM, by name or id'),
  }),
  create: createRoute({
    method: 'post',
    path: '/v1/vms',
    security,
    request: { body: withBody(CreateVmRequest) },
    responses: change,
  }),
  start: createRoute({
    method: 'post',
    path: '/v1/vms/{name}/start',
    security,
    request: { params: byVm, body: maybeBody(StartVmRequest) },
    responses: change,
  }),
  stop: createRoute({
    method: 'post',
    path: '/v1/vms/{name}/stop',
    security,
    request: { params: byVm },
    responses: change,
  }),
  migrate: createRoute({
    method: 'post',
    path: '/v1/vms/{name}/migrate',
    security,
    request: { params: byVm, body: maybeBody(MigrateVmRequest) },
    responses: change,
  }),
  remove: createRoute({
    method: 'delete',
    path: '/v1/vms/{name}',
    security,
    request: { params: byVm },
    responses: change,
  }),
  operations: createRoute({
    method: 'get',
    path: '/v1/operations',
    security,
    request: { query: z.strictObject({ limit }) },
    responses: answers(z.array(OperationView), 'Operations, the newest first'),
  }),
  operation: createRoute({
    method: 'get',
    path: '/v1/operations/{id}',
    security,
    request: { params: z.object({ id: OperationId }) },
    responses: answers(OperationView, 'One operation'),
  }),
  cancelOperation: createRoute({
    method: 'post',
    path: '/v1/operations/{id}/cancel',
    security,
    request: { params: z.object({ id: OperationId }) },
    responses: answers(
      OperationView,
      'The operation: ended if it had not begun; else follow it, for it may have committed meanwhile',
    ),
  }),
  observeMigration: createRoute({
    method: 'put',
    path: '/v1/operations/{id}/observation/{clock}',
    security,
    request: { params: z.object({ id: OperationId, clock: ObservedClock }), body: withBody(ObservedGap) },
    responses: answers(OperationView, 'The migration, which must have ended, with what was observed of it'),
  }),
  tokens: createRoute({
    method: 'get',
    path: '/v1/tokens',
    security,
    responses: answers(z.array(JoinTokenView), 'Join tokens that hold, without their secrets'),
  }),
  createToken: createRoute({
    method: 'post',
    path: '/v1/tokens',
    security,
    request: { body: maybeBody(CreateJoinTokenRequest) },
    responses: answers(CreateJoinTokenReply, 'The token; it is shown this once'),
  }),
  revokeToken: createRoute({
    method: 'delete',
    path: '/v1/tokens/{id}',
    security,
    request: { params: z.object({ id: z.string().regex(/^[0-9a-f]{10}$/, 'must be the id of a token') }) },
    responses: answers(JoinTokenView, 'The token that was revoked'),
  }),
  events: createRoute({
    method: 'get',
    path: '/v1/events',
    security,
    description: 'A page; with `Accept: text/event-stream` the stream, resumable with `Last-Event-ID`.',
    request: { query: EventQuery },
    responses: answers(EventPage, 'Events after a position, oldest first'),
  }),
};
