/**
 * Every place between two steps of a live migration, times everything that can break there: real processes, a real
 * guest, each held at that place while it happens (design: safety, Commit point of a migration). All of it takes eight
 * minutes on two cores: `pnpm test:failpoints`. Among all other tests each place meets one fault, and those around the commit
 * meet every one; `-t 'stands at migration.lease-pass'` tries one place.
 */
import { afterAll, describe, expect, it, vi } from 'vitest';
import { FailpointCluster } from '../support/failpoint-cluster.ts';
import { breakHeldMigration, type Fault, faults, type HeldCase } from '../support/held-migration.ts';
import { failpointsInOrder, type Place, places, postcopyPlaces } from '../support/migration-places.ts';

/** Clusters side by side: they wait more than they compute. */
vi.setConfig({ maxConcurrency: 4 });

const whole: FailpointCluster[] = [];
let starting: Promise<unknown> = Promise.resolve();

/** One after the other: a machine that starts twenty processes at once starves their leases. */
function startNext(): Promise<FailpointCluster> {
  const started = starting.then(() => FailpointCluster.start());
  starting = started.catch(() => {});
  return started;
}

/** A cluster that is whole; it is for nobody else any more if it does not come out whole. */
async function withCluster(use: (bench: FailpointCluster) => Promise<void>): Promise<void> {
  const bench = whole.pop() ?? (await startNext());
  try {
    await use(bench);
    whole.push(bench);
  } catch (error) {
    console.error(`logs of the cluster that failed are left in ${bench.cluster.folder}:`, error);
    // At once: what it left running would starve the others, and fail them as well.
    await bench.close({ keepsLogs: true }).catch((reason: unknown) => console.error(reason));
    throw error;
  }
}

afterAll(async () => {
  for (const bench of whole) await bench.close({ keepsLogs: false });
});

/** Those of post-copy too. */
const everyPlace: readonly Place[] = [...places, ...postcopyPlaces];

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

/** Before the commit a migration goes on without a coordinator, and without a storage service until its lease passes. */
function endOf(fault: Fault, isCommitted: boolean, survives: boolean): HeldCase['ends'] {
  if (isCommitted) return survives ? 'succeeded' : null;
  return fault === 'coordinator' || fault === 'storage' ? null : 'failed';
}

const isWhole = process.env.SKEIN_FAILPOINT_MATRIX === 'whole';

/** One after the other, so that every fault is among them; all where the lease passes, or if all were asked for. */
function faultsAt({ point }: Place): readonly Fault[] {
  if (isWhole || point.startsWith('migration.lease-pass.')) return faults;
  const index = everyPlace.findIndex((place) => place.point === point) % faults.length;
  return faults.slice(index, index + 1);
}

function tryFaults(place: Place, settings: HeldCase['settings'], isOutlived: typeof outlives): void {
  const { point, isCommitted } = place;
  for (const fault of faultsAt(place)) {
    const survives = isOutlived(fault, isCommitted);
    const outcome = survives ? 'it lives on in one place with its memory' : 'it is started anew, once';
    const ends = endOf(fault, isCommitted, survives);
    it(`when ${happens[fault]}: ${outcome}, and migrates again`, async () => {
      const held = { point, fault, settings, survives, isCommitted, ends };
      await withCluster((bench) => breakHeldMigration(bench, held));
    });
  }
}

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

describe.concurrent.each(places)('a guest whose migration stands at $point', (place) => {
  tryFaults(place, {}, outlives);
});

describe.concurrent.each(postcopyPlaces)('a guest whose post-copy migration stands at $point', (place) => {
  tryFaults(place, { mode: 'post-copy' }, outlivesPostcopy);
});
