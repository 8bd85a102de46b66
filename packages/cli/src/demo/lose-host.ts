/** Step 5: the host of another guest is killed without warning; the guest runs again elsewhere and answers pings. */
import type { OperationView, VmView } from '@skein/shared';
import { awaitOperation } from '../client/follow-operation.ts';
import { isRunning } from '../cluster/process.ts';
import { formatTimeline } from '../command/describe.ts';
import { parseEchoReply } from '../observe/readings.ts';
import { claim, consoleOf, type DemoRun, rounded } from './demo-run.ts';
import { doomed, watching } from './plan.ts';
import type { FailoverResult } from './result.ts';

const pingPeriodMs = 50;
const startDeadlineMs = 30_000;
/** Leases of 1.5 s, the boot of a guest on two busy cores, and room. */
const failoverDeadlineMs = 180_000;
const pollMs = 20;
const endDeadlineMs = 15_000;
const ctrlC = '\x03';

export async function loseHost(run: DemoRun): Promise<FailoverResult> {
  const pinger = consoleOf(run, watching.name);
  /** Arrivals of answers, on the demo's clock. */
  const answers: number[] = [];
  const stop = pinger.onLine((line, atMs) => {
    if (parseEchoReply(line) !== null) answers.push(run.clock.of(atMs));
  });
  pinger.type(`pinger ${doomed.address} ${pingPeriodMs}\n`);
  await pinger.waitUntil('get answers', startDeadlineMs, () => answers.length >= 3);
  const before = await run.client.vm(doomed.name);
  const killedAtMs = await killHost(run, before);
  run.progress.waiting(`${doomed.host} was killed; ${doomed.name} is gone`);
  const declaredFailedMs = await awaitFailed(run, doomed.host);
  run.progress.waiting(
    `${doomed.host} is declared failed after ${Math.round(declaredFailedMs - killedAtMs)} ms`,
  );
  const operation = await awaitRestart(run, killedAtMs);
  await awaitOperation(run.client, operation.id, { signal: run.signal });
  const isAnswer = (atMs: number): boolean => atMs > declaredFailedMs;
  await pinger.waitUntil(`get an answer from ${doomed.name}`, failoverDeadlineMs, () =>
    answers.some(isAnswer),
  );
  const answeredMs = answers.find(isAnswer) ?? 0;
  const position = pinger.position;
  pinger.type(ctrlC);
  await pinger.waitFor(pinger.prompt, position, endDeadlineMs);
  stop();
  return await describeFailover(run, before, {
    operationId: operation.id,
    killedAtMs,
    declaredFailedMs,
    answeredMs,
  });
}

async function killHost(run: DemoRun, vm: VmView): Promise<number> {
  claim(vm.host === doomed.host, `${doomed.name} runs on ${vm.host} and not on ${doomed.host}`);
  const agent = run.cluster.processes.find(({ name }) => name === doomed.host);
  claim(agent !== undefined && (await isRunning(agent)), `the agent of ${doomed.host} does not run`);
  process.kill(agent.pid, 'SIGKILL');
  return run.clock.now();
}

async function awaitFailed(run: DemoRun, host: string): Promise<number> {
  return await poll(`${host} was not declared failed`, async () => {
    const view = (await run.client.hosts()).find(({ name }) => name === host);
    return view?.state === 'failed' ? run.clock.now() : null;
  });
}

async function awaitRestart(run: DemoRun, killedAtMs: number): Promise<OperationView> {
  return await poll(`nobody restarts ${doomed.name}`, async () => {
    const operations = await run.client.operations();
    return (
      operations.find(
        ({ kind, vmName, createdAtMs }) =>
          kind === 'vm-restart' && vmName === doomed.name && run.clock.ofUnix(createdAtMs) >= killedAtMs,
      ) ?? null
    );
  });
}

async function poll<T>(otherwise: string, look: () => Promise<T | null>): Promise<T> {
  const deadlineMs = performance.now() + failoverDeadlineMs;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    claim(performance.now() < deadlineMs, `${otherwise} within ${failoverDeadlineMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

interface Times {
  readonly operationId: string;
  readonly killedAtMs: number;
  readonly declaredFailedMs: number;
  readonly answeredMs: number;
}

async function describeFailover(run: DemoRun, before: VmView, times: Times): Promise<FailoverResult> {
  const operation = await run.client.operation(times.operationId);
  const after = await run.client.vm(doomed.name);
  claim(after.state === 'running', `${doomed.name} is ${after.state} after its restart`);
  claim(after.host !== null && after.host !== doomed.host, `${doomed.name} runs on ${after.host} again`);
  claim((after.epoch ?? 0) > (before.epoch ?? 0), `the lease's epoch did not grow with the restart`);
  const firstStep = operation.timeline.find(({ name }) => name === 'first step');
  claim(
    firstStep !== undefined,
    `the record of the restart lacks its first step:\n${formatTimeline(operation)}`,
  );
  const restartedMs = run.clock.ofUnix(firstStep.atMs);
  const declared = operation.timeline.find(({ name }) => name === 'declared failed');
  const declaredFailedMs = declared === undefined ? times.declaredFailedMs : run.clock.ofUnix(declared.atMs);
  run.progress.found(`the coordinator's record of the restart:\n${formatTimeline(operation)}`);
  const since = (atMs: number): string => `+${Math.round(atMs - times.killedAtMs)} ms`;
  run.progress.found(
    `${doomed.host} killed; declared failed ${since(declaredFailedMs)}; ${doomed.name} runs on ${after.host} ` +
      `${since(restartedMs)}; answers pings ${since(times.answeredMs)}`,
  );
  return {
    from: doomed.host,
    to: after.host,
    killedAtMs: rounded(times.killedAtMs),
    declaredFailedMs: rounded(declaredFailedMs),
    restartedMs: rounded(restartedMs),
    answeredMs: rounded(times.answeredMs),
  };
}
