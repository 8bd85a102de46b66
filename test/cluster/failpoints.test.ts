/**
 * Every place between two steps of a live migration, times everything that can break there: real processes, a real
 * guest, each held at that place while it happens (design: safety, Commit point of a migration).
 */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { FailpointCluster } from '../support/failpoint-cluster.ts';
import { breakHeldMigration, type Fault, faults } from '../support/held-migration.ts';
import { failpointsInOrder, places, postcopyPlaces } from '../support/migration-places.ts';

/** Clusters side by side: they wait more than they compute. */
vi.setConfig({ maxConcurrency: 4 });

const whole: FailpointCluster[] = [];
const started: FailpointCluster[] = [];

/** A cluster that is whole; it is for nobody else any more if it does not come out whole. */
async function withCluster(use: (bench: FailpointCluster) => Promise<void>): Promise<void> {
  const bench = whole.pop() ?? (await FailpointCluster.start());
  if (!started.includes(bench)) started.push(bench);
  const t = performance.now();
  try {
    await use(bench);
  } catch (e) {
    console.log('FAILED', bench.cluster.folder, bench.now);
    const d = `/tmp/fp-fail/${bench.now}`;
    mkdirSync(d, { recursive: true });
    cpSync(bench.cluster.folder, d, { recursive: true, filter: (f) => !/state/.test(f) });
    writeFileSync(
      `${d}/why.json`,
      JSON.stringify(
        {
          e: String(e),
          ops: await bench.migrations().catch(() => 0),
          events: await bench.cluster.api('GET', '/events').catch(() => 0),
          view: await bench.view().catch(() => 0),
        },
        null,
        1,
      ),
    );
    throw e;
  } finally {
    console.log(bench.now, Math.round(performance.now() - t));
  }
  whole.push(bench);
}

afterAll(async () => {
  if (process.env.KEEP !== '1') for (const bench of started) await bench.close();
});

const happens: Record<Fault, string> = {
  source: 'the source is killed',
  target: 'the target is killed',
  coordinator: 'the coordinator is killed',
  storage: 'the storage service is killed',
  cut: 'the migration link is cut',
  garbage: 'garbage comes over the migration link',
};

/** Whether the guest's memory outlives the fault; else HA starts it anew. */
const outlives = (fault: Fault, isCommitted: boolean): boolean =>
  fault === 'source' ? isCommitted : fault === 'target' ? !isCommitted : true;

/** In post-copy mode nobody has all of the memory between the commit and the last page. */
const outlivesPostcopy = (fault: Fault, isCommitted: boolean): boolean =>
  isCommitted ? fault === 'coordinator' || fault === 'storage' : outlives(fault, isCommitted);

const outcome = (survives: boolean): string =>
  survives ? 'it lives on in one place with its memory' : 'it is started anew, once';

describe('a live migration', () => {
  it('comes by every failpoint, in the order of its steps', async () => {
    await withCluster(async (bench) => {
      const { host } = await bench.settled();
      for (const point of failpointsInOrder) bench.hold(point);
      const asked = bench.askMigration(host === 'h1' ? 'h2' : 'h1');
      for (const point of failpointsInOrder) {
        await bench.reached(point);
        bench.release(point);
      }
      expect((await bench.ended((await asked) ?? '')).state).toBe('succeeded');
    });
  });
});

describe.concurrent.each(places)('a guest whose migration stands at $point', ({ point, isCommitted }) => {
  for (const fault of faults) {
    const survives = outlives(fault, isCommitted);
    it(`when ${happens[fault]}: ${outcome(survives)}, and migrates again`, async () => {
      await withCluster((bench) => breakHeldMigration(bench, { point, fault, settings: {}, survives }));
    });
  }
});

describe.concurrent.each(postcopyPlaces)(
  'a guest whose post-copy migration stands at $point',
  ({ point, isCommitted }) => {
    for (const fault of faults) {
      const survives = outlivesPostcopy(fault, isCommitted);
      it(`when ${happens[fault]}: ${outcome(survives)}, and migrates again`, async () => {
        const settings = { mode: 'post-copy' } as const;
        await withCluster((bench) => breakHeldMigration(bench, { point, fault, settings, survives }));
      });
    }
  },
);
