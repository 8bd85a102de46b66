/** The example of docs/guide/machine.md: a guest without any cluster, from another program. */
import { readFileSync } from 'node:fs';
import { ensureGuestImage } from '@skein/guests';
import {
  bootMachine,
  createDevices,
  createMachineMemory,
  loadCore,
  Machine,
  saveSnapshot,
} from '@skein/machine';

const memoryMib = 128;
const core = await loadCore();
const image = await ensureGuestImage();
const machine = new Machine({
  core,
  memory: createMachineMemory(core, memoryMib),
  memoryMib,
  devices: createDevices({ nics: [] }),
  emit: (output) => {
    if (output.type === 'console') process.stdout.write(output.bytes);
  },
});
bootMachine(machine, {
  kernel: readFileSync(image.kernelPath),
  initrd: readFileSync(image.initrdPath),
  bootArguments: `${image.defaultBootArguments} quiet`,
});

// A machine knows no clock but its steps: time enters as an input. Here a step takes 3 ns, and waiting takes none.
const ratePerStep = Math.floor(0.03 * 2 ** 32);
machine.apply({ type: 'time', guestTicks: 0n, ratePerStep });
const line = Buffer.from('echo "sum $((19 + 23))"; poweroff\n');
for (let typed = false; !machine.isHalted; ) {
  const { reason } = machine.run(1_000_000);
  const wake = machine.wake();
  if (reason === 'idle' && wake.kind === 'at')
    machine.apply({ type: 'time', guestTicks: wake.guestTicks, ratePerStep });
  if (!typed && machine.guestTimeTicks() > 50_000_000n) {
    machine.apply({ type: 'console', bytes: line });
    typed = true;
  }
}
const { length } = saveSnapshot(machine);
console.log(`${machine.steps} steps, snapshot of ${length} bytes, state ${machine.stateHash().toString(16)}`);
