/**
 * Writes to a store until it is killed: `node writer.ts DIRECTORY`. Each transaction adds a VM, its decision and an
 * event; its number is printed only once the transaction has returned.
 */
import { writeSync } from 'node:fs';
import { Store } from '../store.ts';
import { someVm } from './records.ts';

const store = Store.open(process.argv[2] ?? '');
for (let index = store.events.last + 1; ; index++) {
  store.transaction(() => {
    const vm = someVm(index);
    store.vms.put(vm);
    store.desired.set(vm.id, { host: 'h1', epoch: index });
    store.events.append({ atMs: index, type: 'written', subject: vm.name, message: 'written', details: {} });
  });
  writeSync(1, `${index}\n`);
}
