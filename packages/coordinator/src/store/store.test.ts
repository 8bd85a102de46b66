import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  copyFileSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { HostIdentity, OperationError } from '@skein/shared';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { backupFile, Store, storeFile } from './store.ts';
import { someOperation, someVm } from './testing/records.ts';

let directory: string;
let opened: Store[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'skein-store-'));
});
afterEach(() => {
  for (const store of opened) store.close();
  opened = [];
  rmSync(directory, { recursive: true, force: true });
});

function open(): Store {
  const store = Store.open(directory);
  opened.push(store);
  return store;
}

function reopen(store: Store): Store {
  store.close();
  opened = opened.filter((other) => other !== store);
  return open();
}

function problemOf(action: () => unknown): OperationError {
  try {
    action();
  } catch (error) {
    if (error instanceof OperationError) return error;
    throw error;
  }
  throw new Error('it should have failed');
}

const path = (): string => join(directory, storeFile);

describe('the store', () => {
  it('gives back after a restart what was put into each table', () => {
    const store = open();
    const [first, second] = [someVm(1), someVm(2)];
    const active = someOperation(1, first);
    const ended = someOperation(2, second, { state: 'failed', step: 'ended', endedAtMs: 3 });
    store.transaction(() => {
      store.vms.put(first);
      store.vms.put(second);
      store.desired.set(first.id, { host: 'h1', epoch: 4, waitingReason: 'no host' });
      store.desired.set(second.id, { halt: { kind: 'stopped', reason: 'it switched itself off' } });
      store.operations.put(active);
      store.operations.put(ended);
      store.deletedVms.add('vm-00000000000000ff', 'gone');
      store.events.append({ atMs: 1, type: 'a', subject: 'vm/web1', message: 'm', details: { x: [1] } });
      store.idempotency.put('key', { requestHash: 'h', status: 202, body: '{}' }, 1);
    });
    const again = reopen(store);
    expect(again.incarnation).toBe(store.incarnation + 1);
    expect([...again.vms.all()]).toEqual([first, second]);
    expect(again.vms.byName('web2')).toEqual(second);
    expect(again.vms.hasMac('52:54:00:00:00:01')).toBe(true);
    expect(again.desired.get(first.id)).toEqual({
      vm: first.id,
      host: 'h1',
      epoch: 4,
      halt: null,
      waitingReason: 'no host',
    });
    expect(again.desired.get(second.id).halt).toEqual({ kind: 'stopped', reason: 'it switched itself off' });
    expect(again.operations.active()).toEqual([active]);
    expect(again.operations.get(ended.id)).toEqual(ended);
    expect(again.operations.list(10)).toEqual([ended, active]);
    expect(again.deletedVms.has('vm-00000000000000ff')).toBe(true);
    expect(again.events.after(0, 10)).toMatchObject([{ sequence: 1, details: { x: [1] } }]);
    expect(again.idempotency.get('key')).toEqual({ requestHash: 'h', status: 202, body: '{}' });
  });

  it('keeps active operations in the order in which they were created, whichever changed last', () => {
    const store = open();
    const operations = [1, 2, 3].map((index) =>
      someOperation(index, someVm(index), { createdAtMs: 9 - index }),
    );
    store.transaction(() => {
      for (const index of [1, 2, 3]) store.vms.put(someVm(index));
      for (const operation of operations) store.operations.put(operation);
      for (const operation of operations.slice(0, 2)) store.operations.put({ ...operation, attempts: 1 });
    });
    const ids = operations.map(({ id }) => id);
    expect(store.operations.active().map(({ id }) => id)).toEqual(ids);
    expect(
      reopen(store)
        .operations.active()
        .map(({ id }) => id),
    ).toEqual(ids);
  });

  it('takes a whole transaction back, in memory too', () => {
    const store = open();
    const vm = someVm(1);
    const failing = () =>
      store.transaction(() => {
        store.vms.put(vm);
        store.desired.set(vm.id, { host: 'h1' });
        store.operations.put(someOperation(1, vm));
        store.events.append({ atMs: 1, type: 'a', subject: 'b', message: 'c', details: {} });
        throw new Error('on purpose');
      });
    expect(failing).toThrow('on purpose');
    expect(store.vms.byName('web1')).toBeUndefined();
    expect(store.vms.hasMac('52:54:00:00:00:01')).toBe(false);
    expect(store.desired.get(vm.id).host).toBeNull();
    expect(store.operations.activeOf(vm.id)).toBeUndefined();
    expect(store.events.after(0, 10)).toEqual([]);
    expect(store.events.last).toBe(0);
    store.transaction(() =>
      store.events.append({ atMs: 1, type: 'a', subject: 'b', message: 'c', details: {} }),
    );
    expect(store.events.after(0, 10).map(({ sequence }) => sequence)).toEqual([store.events.last]);
  });

  it('does not write what it could not read back', () => {
    const store = open();
    const vm = someVm(1);
    const odd = { ...vm, machine: { ...vm.machine, bootArguments: 'a\u0000b' } };
    expect(problemOf(() => store.transaction(() => store.vms.put(odd)))).toMatchObject({
      code: 'request.invalid',
    });
    store.vms.put(vm);
    const long = someOperation(1, vm);
    const tooLong = { ...long, timeline: [{ name: 'x', atMs: 1, detail: 'x'.repeat(501) }] };
    expect(problemOf(() => store.operations.put(tooLong)).message).toContain('timeline');
    expect([...reopen(store).vms.all()]).toEqual([vm]);
  });

  it('allows one active operation for each VM', () => {
    const store = open();
    const vm = someVm(1);
    store.vms.put(vm);
    store.operations.put(someOperation(1, vm));
    expect(() => store.operations.put(someOperation(2, vm))).toThrow('one operation at a time');
    store.operations.put(someOperation(1, vm, { state: 'succeeded', step: 'ended' }));
    store.operations.put(someOperation(2, vm));
    expect(store.operations.activeOf(vm.id)?.id).toBe('op-0000000000000002');
  });

  it('lets the decision go with its VM, and its name and addresses be taken again', () => {
    const store = open();
    const vm = someVm(1);
    store.transaction(() => {
      store.vms.put(vm);
      store.desired.set(vm.id, { host: 'h1', epoch: 1 });
    });
    store.transaction(() => {
      store.vms.delete(vm.id);
      store.desired.forget(vm.id);
    });
    store.transaction(() => store.vms.put({ ...someVm(2), name: vm.name, machine: vm.machine }));
    const again = reopen(store);
    expect(again.desired.get(vm.id).host).toBeNull();
    expect(again.vms.byName('web1')?.id).toBe('vm-0000000000000002');
  });

  it('takes over hosts as an older build wrote them, with the one port they had', () => {
    open().close();
    opened = [];
    const path = join(directory, storeFile);
    const identity = {
      name: 'h1',
      bootId: 'a'.repeat(32),
      pid: 1,
      capacity: { cpuMhz: 1000, memoryMib: 1024 },
      addresses: { management: '10.89.1.11' },
      vxlanPort: 4789,
    };
    const database = new DatabaseSync(path);
    database.exec('ALTER TABLE hosts DROP COLUMN is_in_maintenance');
    const insert = database.prepare('INSERT INTO hosts VALUES (?, ?)');
    insert.run('h1', JSON.stringify({ ...identity, peerPort: 7120 }));
    insert.run('h2', JSON.stringify({ ...identity, name: 'h2', peerPort: null }));
    database.exec('PRAGMA user_version = 2');
    database.close();
    expect(open().hosts.all()).toMatchObject([
      { ...identity, peerPorts: { 'guest-a': 7120 } },
      { ...identity, name: 'h2', peerPorts: {} },
    ]);
  });

  it('keeps a host in maintenance when it registers again and after a restart, and forgets that with the host', () => {
    const store = open();
    const identity = HostIdentity.parse({
      name: 'h1',
      bootId: 'a'.repeat(32),
      pid: 1,
      capacity: { cpuMhz: 1000, memoryMib: 1024 },
      addresses: { management: '10.89.1.11' },
      peerPorts: {},
      vxlanPort: null,
    });
    store.hosts.put(identity);
    store.hosts.setMaintenance('h1', true);
    store.hosts.put({ ...identity, pid: 2 });
    const again = reopen(store);
    expect(again.hosts.get('h1')?.pid).toBe(2);
    expect(again.hosts.isInMaintenance('h1')).toBe(true);
    again.hosts.delete('h1');
    again.hosts.put(identity);
    expect(again.hosts.isInMaintenance('h1')).toBe(false);
  });

  it('never gives a position of the event stream twice', () => {
    const store = open();
    const append = (): void =>
      store.events.append({ atMs: 1, type: 'a', subject: 'b', message: 'c', details: {} });
    for (let index = 0; index < 5; index++) append();
    const again = reopen(store);
    again.events.append({ atMs: 1, type: 'last', subject: 'b', message: 'c', details: {} });
    expect(again.events.last).toBe(6);
    expect(again.events.after(3, 2).map(({ sequence }) => sequence)).toEqual([4, 5]);
    expect(again.events.after(5, 10).map(({ type }) => type)).toEqual(['last']);
  });

  it('is open to one coordinator only', () => {
    open();
    expect(problemOf(() => Store.open(directory))).toMatchObject({ code: 'cluster.running' });
  });
});

describe('a store whose writer is killed', () => {
  it('has every acknowledged transaction, and each whole', async () => {
    let acknowledged = 0;
    for (let round = 0; round < 3; round++) {
      const before = acknowledged;
      const writer = spawn(process.execPath, [join(import.meta.dirname, 'testing/writer.ts'), directory], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      for await (const line of createInterface({ input: writer.stdout })) {
        acknowledged = Number(line);
        if (acknowledged >= before + 20 + round) writer.kill('SIGKILL');
      }
      if (writer.signalCode === null && writer.exitCode === null) await once(writer, 'exit');
      expect(writer.signalCode).toBe('SIGKILL');
      const store = open();
      const last = store.events.last;
      expect(last).toBeGreaterThanOrEqual(acknowledged);
      expect([...store.vms.all()]).toHaveLength(last);
      for (let index = 1; index <= last; index++) {
        expect(store.desired.get(someVm(index).id).epoch).toBe(index);
      }
      store.close();
      opened = [];
      acknowledged = last;
    }
  });
});

describe('a damaged store', () => {
  function filled(): void {
    const store = open();
    store.transaction(() => {
      for (let index = 1; index <= 200; index++) store.vms.put(someVm(index));
    });
    reopen(store).close(); // The backup of the second start has them.
    opened = [];
  }

  function expectWayBack(error: OperationError): void {
    expect(error.code).toBe('store.corrupt');
    expect(error.message).toContain(path());
    expect(error.message).toContain(join(directory, backupFile));
    rmSync(path());
    rmSync(`${path()}-wal`, { force: true });
    copyFileSync(join(directory, backupFile), path());
    expect([...open().vms.all()]).toHaveLength(200);
  }

  it('is refused with its file and a way back that works, when its head is not a database', () => {
    filled();
    writeFileSync(path(), 'this is not a database'.repeat(1000));
    expectWayBack(problemOf(() => Store.open(directory)));
  });

  it('is refused when bytes in its middle were overwritten', () => {
    filled();
    const file = openSync(path(), 'r+');
    const size = statSync(path()).size;
    writeSync(file, Buffer.alloc(8192, 0xa5), 0, 8192, Math.floor(size / 2));
    closeSync(file);
    expectWayBack(problemOf(() => Store.open(directory)));
  });

  it('is refused when a row is sound SQLite but not what was written', () => {
    filled();
    const database = new DatabaseSync(path());
    database.exec(`UPDATE vms SET spec = '{"id":"vm-1"}' WHERE name = 'web7'`);
    database.close();
    expectWayBack(problemOf(() => Store.open(directory)));
  });

  it('is refused when a newer build wrote it, and keeps the backup untouched', () => {
    filled();
    const backup = readFileSync(join(directory, backupFile));
    const database = new DatabaseSync(path());
    database.exec('PRAGMA user_version = 99');
    database.close();
    const error = problemOf(() => Store.open(directory));
    expect(error.message).toContain('newer');
    expect(readFileSync(join(directory, backupFile)).equals(backup)).toBe(true);
  });
});
