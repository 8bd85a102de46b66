import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OperationError } from '@skein/shared';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { holdDatasync } from './datasync.fixture.ts';
import { formatRecord, parseLog, type StoredLease } from './log-format.ts';
import { LeaseStore } from './store.ts';

const vmOf = (index: number): string => `vm-${index.toString(16).padStart(16, '0')}`;
const leaseOf = (index: number, epoch: number): StoredLease => ({
  vm: vmOf(index),
  owner: epoch % 3 === 0 ? null : `h${epoch % 3}`,
  boot: epoch % 3 === 0 ? null : 'a'.repeat(32),
  epoch,
});

let root = '';
let opened: LeaseStore[] = [];
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'skein-lease-store-'));
});
afterEach(async () => {
  await Promise.all(opened.map((store) => store.close()));
  opened = [];
});
afterAll(() => rm(root, { recursive: true }));

const emptyDirectory = (): Promise<string> => mkdtemp(join(root, 'store-'));
const logOf = (directory: string): string => join(directory, 'leases.log');

async function opening(directory: string, compactAfterLines?: number): Promise<LeaseStore> {
  const onFatal = (error: OperationError): void => {
    throw error;
  };
  const store = await LeaseStore.open({
    directory,
    onFatal,
    ...(compactAfterLines === undefined ? {} : { compactAfterLines }),
  });
  opened.push(store);
  return store;
}

async function closing(store: LeaseStore): Promise<void> {
  opened = opened.filter((other) => other !== store);
  await store.close();
}

describe('the lease store', () => {
  it('[LEASE-8] has after a restart what it acknowledged', async () => {
    const directory = await emptyDirectory();
    const store = await opening(join(directory, 'made', 'when', 'absent'));
    await store.put(leaseOf(1, 1));
    await store.put(leaseOf(2, 1));
    await store.put(leaseOf(1, 2));
    await store.put({ coordinatorEpoch: 7 });
    await closing(store);
    const { book } = await opening(join(directory, 'made', 'when', 'absent'));
    expect([...book.leases.values()]).toEqual([leaseOf(1, 2), leaseOf(2, 1)]);
    expect(book.coordinatorEpoch).toBe(7);
  });

  it('[LEASE-8] keeps the order of changes that are put together', async () => {
    const directory = await emptyDirectory();
    const store = await opening(directory);
    await Promise.all(Array.from({ length: 500 }, (_, index) => store.put(leaseOf(index % 5, 1 + index))));
    await closing(store);
    const { book } = await opening(directory);
    expect([0, 1, 2, 3, 4].map((index) => book.leases.get(vmOf(index))?.epoch)).toEqual([
      496, 497, 498, 499, 500,
    ]);
  });

  it('[LEASE-8] takes a change that comes in the very moment in which the one before is done', async () => {
    const store = await opening(await emptyDirectory());
    const chain = async (index: number): Promise<void> => {
      for (let epoch = 1; epoch <= 20; epoch++) await store.put(leaseOf(index, epoch));
    };
    await Promise.all([chain(1), chain(2), chain(3)]);
    expect(store.book.leases.get(vmOf(3))?.epoch).toBe(20);
  });

  it('[LEASE-6] writes its log anew when it is long, and forgets no epoch by that', async () => {
    const directory = await emptyDirectory();
    const store = await opening(directory, 50);
    for (let round = 1; round <= 40; round++) {
      await Promise.all([1, 2, 3, 4, 5].map((index) => store.put(leaseOf(index, round))));
      const lines = (await readFile(logOf(directory), 'utf8')).split('\n').length - 1;
      expect(lines).toBeLessThanOrEqual(5 + 50 + 5);
    }
    await closing(store);
    expect(await readdir(directory)).toEqual(['leases.log']);
    const { book } = await opening(directory);
    expect([...book.leases.values()].map(({ epoch }) => epoch)).toEqual([40, 40, 40, 40, 40]);
  });

  it('[LEASE-8] acknowledges nothing before fdatasync is through', async () => {
    const store = await opening(await emptyDirectory());
    const disk = await holdDatasync();
    let isAcknowledged = false;
    const put = store.put(leaseOf(1, 1)).then(() => {
      isAcknowledged = true;
    });
    await disk.reached;
    await new Promise((resolve) => setImmediate(resolve));
    expect(isAcknowledged).toBe(false);
    disk.goOn();
    await put;
    expect(isAcknowledged).toBe(true);
  });

  it('[LEASE-8] is at its end when fdatasync fails: nobody knows what the disk holds', async () => {
    const directory = await emptyDirectory();
    const fatal: string[] = [];
    const store = await LeaseStore.open({ directory, onFatal: ({ code }) => fatal.push(code) });
    opened.push(store);
    await store.put(leaseOf(1, 1));
    const disk = await holdDatasync();
    const puts = [store.put(leaseOf(1, 2)), store.put(leaseOf(2, 1))];
    await disk.reached;
    disk.fail(new Error('EIO'));
    const outcomes = await Promise.allSettled([...puts, store.put(leaseOf(3, 1))]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(fatal).toEqual(['lease.store-failed']);
    await expect(store.put(leaseOf(1, 2))).rejects.toMatchObject({ code: 'lease.store-failed' });
  });

  it('[LEASE-10] is not opened twice', async () => {
    const directory = await emptyDirectory();
    const store = await opening(directory);
    const again = LeaseStore.open({
      directory: join(directory, '..', directory.split('/').at(-1) ?? ''),
      onFatal: () => {},
    });
    await expect(again).rejects.toMatchObject({ code: 'lease.store-in-use', details: {} });
    await closing(store);
    await opening(directory);
  });

  it('[LEASE-10] cuts a torn tail, and what is written then is whole', async () => {
    const directory = await emptyDirectory();
    const store = await opening(directory);
    await store.put(leaseOf(1, 1));
    await closing(store);
    await appendFile(logOf(directory), formatRecord(leaseOf(1, 2)).slice(0, -3));
    const second = await opening(directory);
    expect(second.book.leases.get(vmOf(1))).toEqual(leaseOf(1, 1));
    await second.put(leaseOf(2, 1));
    await closing(second);
    const { book } = await opening(directory);
    expect([...book.leases.values()]).toEqual([leaseOf(1, 1), leaseOf(2, 1)]);
  });

  it('[LEASE-10] refuses a damaged log, names it and the way back, and leaves it as it is', async () => {
    const directory = await emptyDirectory();
    const text = [leaseOf(1, 1), leaseOf(2, 1)].map(formatRecord).join('').replace('h1', 'h2');
    await writeFile(logOf(directory), text);
    const refused = LeaseStore.open({ directory, onFatal: () => {} });
    await expect(refused).rejects.toMatchObject({
      code: 'lease.store-corrupt',
      message: expect.stringMatching(/leases\.log is damaged at line 1: .*Restore the file from a copy/),
      details: { path: logOf(directory), line: 1 },
    });
    expect(await readFile(logOf(directory), 'utf8')).toBe(text);
    await writeFile(logOf(directory), '');
    await opening(directory); // The refusal has let go of the directory.
  });
});

describe('the lease log', () => {
  const records = [leaseOf(1, 1), leaseOf(2, 4), { coordinatorEpoch: 3 }, leaseOf(1, 3)];
  const whole = Buffer.from(records.map(formatRecord).join(''));

  it('[LEASE-10] cut anywhere holds all lines that are whole, and nothing else', () => {
    for (let length = 0; length <= whole.length; length++) {
      const text = whole.subarray(0, length).toString('utf8');
      const isWholeLine = text.endsWith('}');
      if (isWholeLine) continue; // All but the newline: see the next test.
      const lines = text.split('\n').length - 1;
      const { leases, coordinatorEpoch } = parseLog(text, 'leases.log');
      expect(leases.size).toBe(lines === 0 ? 0 : lines === 1 ? 1 : 2);
      expect(coordinatorEpoch).toBe(lines >= 3 ? 3 : 0);
      expect(leases.get(vmOf(1))?.epoch).toBe([undefined, 1, 1, 1, 3][lines]);
    }
  });

  it('[LEASE-10] without its last newline alone is torn too', () => {
    const { leases } = parseLog(whole.subarray(0, -1).toString('utf8'), 'leases.log');
    expect(leases.get(vmOf(1))?.epoch).toBe(1);
  });

  it('[LEASE-10] with any bit flipped is refused', () => {
    for (let at = 0; at < whole.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const flipped = Buffer.from(whole);
        flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
        expect(() => parseLog(flipped.toString('utf8'), 'leases.log'), `bit ${bit} of byte ${at}`).toThrow(
          'is damaged',
        );
      }
    }
  });

  it('[LEASE-10] in which an epoch runs backwards is refused, though each line is whole', () => {
    const text = [leaseOf(1, 5), leaseOf(1, 4)].map(formatRecord).join('');
    expect(() => parseLog(text, 'leases.log')).toThrow('line 2: an epoch runs backwards');
    const claims = [{ coordinatorEpoch: 2 }, { coordinatorEpoch: 1 }].map(formatRecord).join('');
    expect(() => parseLog(claims, 'leases.log')).toThrow('line 2: an epoch runs backwards');
  });

  it('[LEASE-10] of any other text is refused or empty, and never read as a lease', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200, unit: fc.constantFrom(...'\n {}"vm-0f:,é\0') }), (text) => {
        try {
          expect(parseLog(text, 'leases.log').leases.size).toBe(0);
        } catch (error) {
          expect(error).toMatchObject({ code: 'lease.store-corrupt' });
        }
      }),
    );
  });
});
