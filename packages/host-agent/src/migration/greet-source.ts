/** The target's first words to the source of a migration: both must mean the same one, of the same kind of machine. */
import { type migrationProtocol, OperationError } from '@skein/shared';
import type { Link } from '@skein/transport';
import type { TargetAssignment } from './transfer-channel.ts';

/** @throws OperationError migration.machine-version, migration.aborted, link.closed, link.timeout; what the source refuses */
export async function greetSource(
  link: Link<typeof migrationProtocol, 'dialer'>,
  { command, host, memoryMib, machineVersion }: TargetAssignment,
  deadlineMs: number,
): Promise<void> {
  const { operation, vm, epoch, sourceHost } = command;
  const hello = await link.request(
    'migration.hello',
    { operation, vm, epoch, host, machineVersion },
    { deadlineMs },
  );
  if (hello.machineVersion !== machineVersion) {
    throw new OperationError({
      code: 'migration.machine-version',
      message: `${sourceHost} has machine version ${hello.machineVersion}, ${host} has ${machineVersion}: update the older one`,
    });
  }
  if (hello.memoryMib !== memoryMib) {
    throw new OperationError({
      code: 'migration.aborted',
      message: `the source has ${hello.memoryMib} MiB, reserved were ${memoryMib}`,
    });
  }
}
