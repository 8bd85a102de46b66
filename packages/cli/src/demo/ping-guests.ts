/** Step 3: guests on different hosts ping each other with their own `ping`, read from their consoles. */
import { claim, consoleOf, type DemoRun } from './demo-run.ts';
import { parsePingSummary } from './ping-summary.ts';
import { type GuestPlan, guests } from './plan.ts';
import type { PingResult } from './result.ts';

const pings = 5;
const deadlineMs = 60_000;

/** Each guest pings the next one. */
export async function pingGuests(run: DemoRun): Promise<PingResult> {
  const pairs = guests.map((guest, index) => ({
    from: guest,
    to: guests[(index + 1) % guests.length] ?? guest,
  }));
  const summaries = await Promise.all(pairs.map(({ from, to }) => ping(run, from, to)));
  const sum = (key: keyof PingResult): number =>
    summaries.reduce((total, summary) => total + summary[key], 0);
  return { sent: sum('sent'), received: sum('received') };
}

async function ping(run: DemoRun, from: GuestPlan, to: GuestPlan): Promise<PingResult> {
  const output = await consoleOf(run, from.name).run(`ping -c ${pings} -W 5 ${to.address}`, deadlineMs);
  const summary = parsePingSummary(output);
  claim(summary !== null, `ping on ${from.name} printed no summary:\n${output}`);
  claim(
    summary.received === summary.sent && summary.sent === pings,
    `${from.name} (${from.host}) sent ${summary.sent} pings to ${to.name} (${to.host}) and got ${summary.received} answers`,
  );
  const roundTrip = /min\/avg\/max = ([\d.]+)\/([\d.]+)\/([\d.]+) ms/.exec(output);
  run.progress.found(
    `${from.name} (${from.host}) -> ${to.name} (${to.host}): ${summary.received} of ${summary.sent} answered` +
      (roundTrip === null ? '' : `, ${roundTrip[2]} ms on average`),
  );
  return summary;
}
