/** web1 moves from h1 to h2, between scripted agents: the steps and the record that tests of migrations have in common. */
import type { MigrationRecord, VmId } from '@skein/shared';
import { migrationRecord } from './migration-record.ts';
import type { TestCluster } from './test-cluster.ts';

/** Resolves with the operation when the target was told, and neither side has told its record. */
export async function beginMove(cluster: TestCluster): Promise<string> {
  const { operation } = await cluster.post('/vms/web1/migrate', { host: 'h2' });
  await cluster.eventually(
    'the target was told',
    () => cluster.agent('h2').commands('migration.target').length > 0,
  );
  return operation ?? '';
}

/** The lease passes and the guest runs on the target: what the two agents do at the commit. */
export function commitMove(cluster: TestCluster, vm: VmId): void {
  cluster.storage.pass(vm, 'h2');
  cluster.agent('h2').put(vm, 'web1', 2, 'running');
  cluster.agent('h1').set(vm, { state: 'stopped', reason: 'migrated away' });
}

export function moveRecord(
  operation: string,
  vm: VmId,
  outcome: MigrationRecord['outcome'],
  reason: string | null = null,
): MigrationRecord {
  const epochAfter = outcome === 'committed' ? 2 : 1;
  return migrationRecord({
    operation,
    vm,
    from: 'h1',
    to: 'h2',
    outcome,
    reason,
    epochBefore: 1,
    epochAfter,
  });
}
