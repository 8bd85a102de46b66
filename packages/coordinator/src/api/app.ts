/** The HTTP application: guards, routes, and what each route answers. */
import { OpenAPIHono } from '@hono/zod-openapi';
import { metricsPath } from '@skein/metrics';
import {
  type ClusterInfo,
  CreateJoinTokenRequest,
  type HostView,
  MigrateVmRequest,
  OperationError,
  type OperationView,
  StartVmRequest,
} from '@skein/shared';
import type { Logger } from 'pino';
import type { Environment } from '../env.ts';
import type { JoinTokens } from '../joining/join-tokens.ts';
import type { CoordinatorMetrics } from '../metrics/coordinator-metrics.ts';
import { scrapeTargets } from '../metrics/scrape-targets.ts';
import type { Executor } from '../operations/executor.ts';
import type { World } from '../world.ts';
import { askerOf } from './asker.ts';
import type { Commands } from './commands.ts';
import { eventStream } from './event-stream.ts';
import { type ApiTokens, checkHost, checkToken, countRequests, limitBody } from './guards.ts';
import { setMaintenance } from './host-maintenance.ts';
import { removeHost } from './host-removal.ts';
import { keepObservation } from './migration-observation.ts';
import { changeOnce } from './once.ts';
import { invalidRequest, problemResponse } from './problems.ts';
import { routes, scrapeTargetsPath } from './routes.ts';
import { hostView, vmView } from './views.ts';

export interface AppOptions {
  readonly world: World;
  readonly env: Environment;
  readonly executor: Executor;
  readonly commands: Commands;
  readonly tokens: ApiTokens;
  readonly metrics: CoordinatorMetrics;
  /** Null in an insecure cluster. */
  readonly joinTokens: JoinTokens | null;
  /** Names under which the API is served beside its addresses. */
  readonly hostNames: readonly string[];
  readonly info: () => ClusterInfo;
  readonly log: Logger;
}

export function createApp(options: AppOptions): OpenAPIHono {
  const app = new OpenAPIHono({
    defaultHook: (result, context) =>
      result.success ? undefined : problemResponse(context, invalidRequest(result.error)),
  });
  app.onError((error, context) => {
    const known = knownError(error);
    if (!(known instanceof OperationError)) options.log.error({ err: error }, 'a request failed');
    return problemResponse(context, known);
  });
  app.notFound((context) => {
    const message = `there is nothing at ${context.req.method} ${context.req.path.slice(0, 200)}`;
    return problemResponse(context, new OperationError({ code: 'request.invalid', message }), 404);
  });
  app.use(
    '*',
    countRequests((...request) => options.metrics.request(...request)),
    checkHost(options.hostNames),
    checkToken(options.tokens, [metricsPath, scrapeTargetsPath]),
    limitBody(),
  );
  app.openAPIRegistry.registerComponent('securitySchemes', 'token', { type: 'http', scheme: 'bearer' });
  addMetrics(app, options);
  addReading(app, options);
  addChanges(app, options);
  addTokens(app, options);
  app.doc31('/openapi.json', { openapi: '3.1.0', info: { title: 'Skein', version: options.info().version } });
  return app;
}

function addMetrics(app: OpenAPIHono, { metrics: { registry }, world }: AppOptions): void {
  app.get(metricsPath, async (context) =>
    context.body(await registry.text(), 200, { 'content-type': registry.contentType }),
  );
  app.all(metricsPath, (context) => {
    const message = `${metricsPath} can only be read (GET)`;
    context.header('allow', 'GET');
    return problemResponse(context, new OperationError({ code: 'request.invalid', message }), 405);
  });
  app.openapi(routes.scrapeTargets, (context) => context.json(scrapeTargets(world), 200));
}

function addReading(app: OpenAPIHono, { world, executor, info }: AppOptions): void {
  app.openapi(routes.cluster, (context) => context.json(info(), 200));
  app.openapi(routes.hosts, (context) => {
    const { vms } = world.inventory();
    return context.json(
      world.hostList.map((host) => hostView(world, host, vms)),
      200,
    );
  });
  app.openapi(routes.host, (context) => {
    const host = world.host(context.req.valid('param').name);
    return context.json(hostView(world, host, world.inventory().vms), 200);
  });
  app.openapi(routes.vms, (context) => {
    const inventory = world.inventory();
    const views = inventory.vms.map((vm) => vmView(vm, inventory));
    return context.json(
      views.sort((a, b) => (a.name < b.name ? -1 : 1)),
      200,
    );
  });
  app.openapi(routes.vm, (context) => {
    const { id } = world.vm(context.req.valid('param').name);
    const inventory = world.inventory();
    const vm = inventory.vms.find(({ spec }) => spec.id === id);
    if (vm === undefined) throw new OperationError({ code: 'vm.not-found', message: `there is no VM ${id}` });
    return context.json(vmView(vm, inventory), 200);
  });
  app.openapi(routes.operations, (context) => {
    const records = world.store.operations.list(context.req.valid('query').limit);
    return context.json(
      records.map((record) => executor.view(record)),
      200,
    );
  });
  app.openapi(routes.operation, (context) => {
    const { id } = context.req.valid('param');
    const record = world.store.operations.get(id);
    if (record === undefined) {
      throw new OperationError({ code: 'operation.not-found', message: `there is no operation ${id}` });
    }
    return context.json(executor.view(record), 200);
  });
  app.openapi(routes.events, (context) => {
    const { after, limit } = context.req.valid('query');
    const lastId = Number(context.req.header('last-event-id') ?? Number.NaN);
    const cursor = Number.isSafeInteger(lastId) && lastId >= 0 ? lastId : (after ?? 0);
    if (context.req.header('accept')?.includes('text/event-stream') === true) {
      return eventStream(context, world, cursor) as never;
    }
    const events = world.store.events.after(cursor, limit);
    return context.json({ events, next: events.at(-1)?.sequence ?? cursor }, 200);
  });
}

function addChanges(app: OpenAPIHono, { world, commands, executor, env }: AppOptions): void {
  app.openapi(routes.create, (context) => {
    const body = context.req.valid('json');
    return changeOnce(context, world, body, env.wallMs(), () => commands.create(body)) as never;
  });
  app.openapi(routes.start, (context) => {
    const { name } = context.req.valid('param');
    const body = StartVmRequest.parse(context.req.valid('json') ?? {});
    return changeOnce(context, world, body, env.wallMs(), () => commands.start(name, body)) as never;
  });
  app.openapi(routes.stop, (context) => {
    const { name } = context.req.valid('param');
    return changeOnce(context, world, null, env.wallMs(), () => commands.stop(name)) as never;
  });
  app.openapi(routes.migrate, (context) => {
    const { name } = context.req.valid('param');
    const body = MigrateVmRequest.parse(context.req.valid('json') ?? {});
    return changeOnce(context, world, body, env.wallMs(), () => commands.migrate(name, body)) as never;
  });
  app.openapi(routes.cancelOperation, (context) => {
    const { id } = context.req.valid('param');
    const cancel = (): OperationView => executor.view(executor.cancel(id, askerOf(context)));
    return changeOnce(context, world, null, env.wallMs(), cancel) as never;
  });
  app.openapi(routes.observeMigration, (context) => {
    const { id, clock } = context.req.valid('param');
    const gap = context.req.valid('json');
    const keep = (): OperationView =>
      executor.view(keepObservation(world, id, { clock, gap, by: askerOf(context) }));
    return changeOnce(context, world, gap, env.wallMs(), keep) as never;
  });
  app.openapi(routes.removeHost, (context) => {
    const { name } = context.req.valid('param');
    return changeOnce(context, world, null, env.wallMs(), () => removeHost(world, name)) as never;
  });
  app.openapi(routes.maintenance, (context) => {
    const { name } = context.req.valid('param');
    const body = context.req.valid('json');
    const set = (): HostView => setMaintenance(world, name, body.isOn);
    return changeOnce(context, world, body, env.wallMs(), set) as never;
  });
  app.openapi(routes.remove, (context) => {
    const { name } = context.req.valid('param');
    return changeOnce(context, world, null, env.wallMs(), () => commands.delete(name)) as never;
  });
}

function addTokens(app: OpenAPIHono, { joinTokens }: AppOptions): void {
  const tokens = (): JoinTokens => {
    if (joinTokens !== null) return joinTokens;
    const message =
      'this cluster runs with --insecure: whoever reaches its loopback addresses is let in without a token';
    throw new OperationError({ code: 'join.refused', message });
  };
  app.openapi(routes.tokens, (context) => context.json(tokens().list(), 200));
  app.openapi(routes.createToken, (context) => {
    const body = CreateJoinTokenRequest.parse(context.req.valid('json') ?? {});
    // A secret is not kept to be said again: no Idempotency-Key here.
    return context.json(tokens().create(body), 200);
  });
  app.openapi(routes.revokeToken, (context) => {
    return context.json(tokens().revoke(context.req.valid('param').id), 200);
  });
}

/** Hono reports a body that is not JSON as an exception of its own, with a status. */
function knownError(error: Error): Error {
  if (error instanceof OperationError || (error as { status?: number }).status !== 400) return error;
  return new OperationError({ code: 'request.invalid', message: error.message, cause: error });
}
