/**
 * A model of a whole cluster around the rules: hosts with clocks of their own, messages that take any time, a service
 * that restarts at any moment. Checked is what the leases are for: no two hosts may run the VM at one true time.
 */
import { grantDeadlineNs, recoveryMs, type VmId } from '@skein/shared';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideLease, type Holder, type Lease, type LeaseRequest } from './rules.ts';

const vm: VmId = 'vm-0123456789abcdef';
const ttlMs = 1500;
const hostNames = ['h1', 'h2', 'h3'] as const;
/** Margin 0: drift alone must be covered by the rules; the margin is for stopping. */
const timing = { driftRatio: 0.01, marginMs: 0 };

/** Which of the guards are in force; all of them in the real thing. */
interface Guards {
  readonly countsFromSend: boolean;
  readonly recoversHeld: boolean;
  readonly knowsBoot: boolean;
}
const allGuards: Guards = { countsFromSend: true, recoversHeld: true, knowsBoot: true };

/** One thing that a host does, or the service's end and new start. */
const Step = fc.record({
  who: fc.nat(hostNames.length - 1),
  what: fc.constantFrom(
    'acquire',
    'acquire',
    'renew',
    'renew',
    'pass',
    'release',
    'restart-service',
    'restart-host',
  ),
  /** True time since the step before. */
  afterMs: fc.nat(900),
  thereMs: fc.nat(700),
  backMs: fc.nat(700),
});
type Step = typeof Step extends fc.Arbitrary<infer T> ? T : never;

const Scenario = fc.record({
  steps: fc.array(Step, { minLength: 4, maxLength: 60, size: 'max' }),
  /** Rate of each host's clock against the service's. */
  rates: fc.tuple(...hostNames.map(() => fc.constantFrom(1 / 1.01, 1, 1.01))),
});

interface Event {
  readonly atMs: number;
  readonly run: (atMs: number) => void;
}

/** A time in which a holder may run the VM, in true time. */
interface Run {
  readonly holder: string;
  readonly epoch: number;
  readonly fromMs: number;
  toMs: number;
}

class Cluster {
  readonly runs: Run[] = [];
  readonly #guards: Guards;
  readonly #rates: readonly number[];
  readonly #events: Event[] = [];
  readonly #boots = hostNames.map(() => 0);
  /** The highest epoch that each process has passed on or released: answers about it come too late. */
  readonly #givenUp = new Map<string, number>();
  /** What each host believes to hold. */
  readonly #believed: ({ epoch: number; run: Run } | null)[] = hostNames.map(() => null);
  #lease: Lease | undefined;

  constructor(guards: Guards, rates: readonly number[]) {
    this.#guards = guards;
    this.#rates = rates;
  }

  play(steps: readonly Step[]): void {
    let nowMs = 0;
    for (const step of steps) {
      nowMs += step.afterMs;
      this.#events.push({ atMs: nowMs, run: (atMs) => this.#step(step, atMs) });
    }
    while (this.#events.length > 0) {
      this.#events.sort((a, b) => a.atMs - b.atMs);
      const event = this.#events.shift();
      event?.run(event.atMs);
    }
  }

  overlaps(): boolean {
    return this.runs.some((a) =>
      this.runs.some((b) => a.holder !== b.holder && a.fromMs < b.toMs && b.fromMs < a.toMs),
    );
  }

  #step(step: Step, atMs: number): void {
    const { who, what } = step;
    if (what === 'restart-service') {
      // Its new process holds what has an owner for the recovery time, on its own clock.
      const heldMs = this.#guards.recoversHeld ? recoveryMs(ttlMs, timing) : 0;
      if (this.#lease !== undefined) this.#lease = { ...this.#lease, untilNs: ns(atMs + heldMs) };
    } else if (what === 'restart-host') {
      this.#boots[who] = (this.#boots[who] ?? 0) + 1;
      this.#believed[who] = null; // The old process may run on: somebody started two.
    } else {
      this.#ask(step, atMs);
    }
  }

  #ask({ who, what, thereMs, backMs }: Step, sentMs: number): void {
    const by = this.#holder(who);
    const request = this.#request(what, by, who);
    if (request === null) return;
    const askingBoot = this.#boots[who] ?? 0;
    this.#stopIfGiving(request, who, sentMs);
    this.#events.push({
      atMs: sentMs + thereMs,
      run: (atMs) => {
        const decision = decideLease(this.#lease, request, { nowNs: ns(atMs), ttlMs, coordinatorEpoch: 0 });
        if (decision.kind === 'refused') return;
        this.#lease = decision.lease;
        const { epoch, owner } = decision.lease;
        if (request.type === 'release' || owner === null) return;
        const receiver = hostNames.indexOf(owner as (typeof hostNames)[number]);
        const isPass = request.type === 'pass';
        const boot = isPass ? (this.#boots[receiver] ?? 0) : askingBoot;
        this.#events.push({
          atMs: atMs + backMs,
          run: (receivedMs) => this.#granted(receiver, boot, epoch, isPass ? atMs : sentMs, receivedMs),
        });
      },
    });
  }

  /** A host that passes or releases stands still from before it asks. */
  #stopIfGiving(request: LeaseRequest, who: number, atMs: number): void {
    const believed = this.#believed[who];
    if (believed === null || believed === undefined) return;
    if (request.type !== 'pass' && request.type !== 'release') return;
    for (const run of this.runs) if (run.holder === believed.run.holder) run.toMs = Math.min(run.toMs, atMs);
    this.#believed[who] = null;
    this.#givenUp.set(believed.run.holder, believed.epoch);
  }

  #granted(who: number, boot: number, epoch: number, sentMs: number, receivedMs: number): void {
    const rate = this.#rates[who] ?? 1;
    const fromMs = this.#guards.countsFromSend ? sentMs : receivedMs;
    // On the host's clock, and back to true time.
    const untilMs = Number(grantDeadlineNs(ns(fromMs * rate), ttlMs, timing)) / 1e6 / rate;
    const run: Run = { holder: `${hostNames[who]}/${boot}`, epoch, fromMs: receivedMs, toMs: untilMs };
    if (untilMs <= receivedMs || epoch <= (this.#givenUp.get(run.holder) ?? 0)) return;
    if (boot !== this.#boots[who]) {
      this.runs.push(run); // An answer to the process before, which goes on by itself.
      return;
    }
    if (epoch < (this.#believed[who]?.epoch ?? 0)) return;
    this.runs.push(run);
    this.#believed[who] = { epoch, run };
  }

  #request(what: Step['what'], by: Holder, who: number): LeaseRequest | null {
    const epoch = this.#believed[who]?.epoch;
    if (what === 'acquire') return { type: 'acquire', vm, by, expectEpoch: this.#lease?.epoch ?? 0 };
    if (epoch === undefined) return null;
    if (what === 'pass') return { type: 'pass', vm, by, epoch, target: hostNames[(who + 1) % 3] ?? 'h1' };
    return { type: what === 'renew' ? 'renew' : 'release', vm, by, epoch };
  }

  #holder(who: number): Holder {
    const boot = this.#guards.knowsBoot ? (this.#boots[who] ?? 0) : 0;
    return { host: hostNames[who] ?? 'h1', boot: boot.toString(16).padStart(32, '0') };
  }
}

function ns(ms: number): bigint {
  return BigInt(Math.round(ms * 1e6));
}

function overlapsSomewhere(guards: Guards, numRuns: number): boolean {
  const outcome = fc.check(
    fc.property(Scenario, ({ steps, rates }) => {
      const cluster = new Cluster(guards, rates);
      cluster.play(steps);
      return !cluster.overlaps();
    }),
    { numRuns, seed: 5 },
  );
  return outcome.failed;
}

describe('leases among drifting clocks, slow messages and restarts', () => {
  it('[LEASE-2] [LEASE-3] [LEASE-9] [LEASE-11] never let two processes run one VM at one time', () => {
    fc.assert(
      fc.property(Scenario, ({ steps, rates }) => {
        const cluster = new Cluster(allGuards, rates);
        cluster.play(steps);
        expect(cluster.overlaps(), JSON.stringify(cluster.runs)).toBe(false);
      }),
      { numRuns: 3000 },
    );
  });

  it('let guests run at all: most histories have runs of several epochs', () => {
    const epochs = fc.sample(Scenario, { numRuns: 100, seed: 1 }).map(({ steps, rates }) => {
      const cluster = new Cluster(allGuards, rates);
      cluster.play(steps);
      return new Set(cluster.runs.map(({ epoch }) => epoch)).size;
    });
    expect(epochs.filter((count) => count >= 2).length).toBeGreaterThan(50);
  });

  it.each(['countsFromSend', 'recoversHeld', 'knowsBoot'] as const)(
    'do let two run at one time when a guard is taken away: %s',
    (guard) => {
      expect(overlapsSomewhere({ ...allGuards, [guard]: false }, 3000)).toBe(true);
    },
  );
});
