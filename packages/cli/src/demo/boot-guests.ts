/** Step 2: three guests boot from the image; banner and shell are on their consoles. */
import { readyMarker } from '@skein/guests';
import type { VmView } from '@skein/shared';
import { awaitOperation } from '../client/follow-operation.ts';
import { GuestConsole } from '../client/guest-console.ts';
import { claim, type DemoRun, rounded } from './demo-run.ts';
import { type GuestPlan, guestMemoryMib, guests, interfaceOf } from './plan.ts';
import type { GuestResult } from './result.ts';

/** Three guests on two busy cores boot in about 20 s. */
const bootDeadlineMs = 240_000;
const commandDeadlineMs = 60_000;
const reportDeadlineMs = 10_000;

export interface BootedGuests {
  readonly results: readonly GuestResult[];
  readonly consoles: ReadonlyMap<string, GuestConsole>;
}

export async function bootGuests(run: Omit<DemoRun, 'consoles'>, image: string): Promise<BootedGuests> {
  const replies = await Promise.all(guests.map((guest) => create(run, guest, image)));
  const operations = replies.flatMap(({ operation }) => operation ?? []);
  claim(operations.length === guests.length, 'a guest was created and not powered on');
  await Promise.all(operations.map((id) => awaitOperation(run.client, id, { signal: run.signal })));
  const consoles = new Map<string, GuestConsole>();
  for (const { name } of guests) consoles.set(name, await GuestConsole.attach(run.access, run.info, name));
  let ready = 0;
  run.progress.waiting('the guests boot');
  const results = await Promise.all(
    guests.map(async (guest) => {
      const result = await awaitShell(run, guest, consoles.get(guest.name));
      ready += 1;
      run.progress.found(
        `${guest.name} on ${result.host}: Linux ${result.kernel}, ready after ${(result.bootMs / 1000).toFixed(1)} s`,
      );
      if (ready < guests.length) run.progress.waiting(`${ready} of ${guests.length} guests are ready`);
      return result;
    }),
  );
  return { results, consoles };
}

function create(
  run: Omit<DemoRun, 'consoles'>,
  guest: GuestPlan,
  image: string,
): ReturnType<typeof run.client.createVm> {
  return run.client.createVm({
    name: guest.name,
    image,
    memoryMib: guestMemoryMib,
    nics: [{ segment: 'lan', address: interfaceOf(guest) }],
    host: guest.host,
  });
}

async function awaitShell(
  run: Omit<DemoRun, 'consoles'>,
  guest: GuestPlan,
  console: GuestConsole | undefined,
): Promise<GuestResult> {
  claim(console !== undefined, `${guest.name} has no console`);
  const banner = await console.waitFor(/Linux version (\S+)/, 0, bootDeadlineMs);
  await console.waitFor(new RegExp(`${readyMarker} ${guest.name}\\n`), 0, bootDeadlineMs);
  await console.waitFor(console.prompt, 0, bootDeadlineMs);
  const answer = await console.run('uname -r', commandDeadlineMs);
  const kernel = banner[1] ?? '';
  claim(
    answer.trim() === kernel,
    `the shell of ${guest.name} says it is kernel "${answer.trim()}", its banner says "${kernel}"`,
  );
  const vm = await awaitReport(run, guest.name);
  claim(vm.host === guest.host, `${guest.name} runs on ${vm.host} and not on ${guest.host}`);
  return { name: guest.name, kernel, host: guest.host, bootMs: rounded(vm.readyMs ?? 0) };
}

/** The agent reports when it has seen the guest's ready line, which we may have seen first. */
async function awaitReport(run: Omit<DemoRun, 'consoles'>, name: string): Promise<VmView> {
  const deadlineMs = performance.now() + reportDeadlineMs;
  for (;;) {
    const vm = await run.client.vm(name);
    if (vm.readyMs !== null) return vm;
    claim(performance.now() < deadlineMs, `no host reports that ${name} is ready`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
