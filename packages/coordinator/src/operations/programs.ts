/** Which program carries out which kind of operation. */
import type { OperationKind } from '@skein/shared';
import type { OperationProgram } from './operation.ts';
import { vmDelete } from './vm-delete.ts';
import { vmMigrate } from './vm-migrate.ts';
import { vmRestart, vmStart } from './vm-start.ts';
import { vmStop } from './vm-stop.ts';

export const programs: Readonly<Record<OperationKind, OperationProgram>> = {
  'vm-start': vmStart,
  'vm-stop': vmStop,
  'vm-delete': vmDelete,
  'vm-migrate': vmMigrate,
  'vm-restart': vmRestart,
};
