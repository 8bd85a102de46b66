/** A bench that has a QEMU, says its pid, and waits to be killed: for qemu-migration.test.ts. Argument: a folder for its socket. */
import { QemuMachine } from './qemu-machine.ts';

const folder = process.argv[2] ?? '.';
const machine = await QemuMachine.start({
  folder,
  name: 'owned',
  args: ['-m', '64', '-nic', 'none', '-S'],
  hear: () => {},
});
console.log(machine.pid);
