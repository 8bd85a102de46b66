/**
 * What a migration would have cost with other settings, on the trace of one that took place. A model: the decisions are
 * the very same ones that an agent makes, the guest and the link are as the trace shows them.
 */
import { OperationError } from '../../errors.ts';
import type { MigrationMode, MigrationSettings } from '../../model/migration.ts';
import type { Ledger } from '../read-ledger.ts';
import type { Replay } from './outcome.ts';
import { replayPostcopy, replayRounds } from './replay-modes.ts';
import { type Trace, traceOf } from './trace.ts';

type Model = (trace: Trace, settings: MigrationSettings) => Replay;

const models: Readonly<Record<MigrationMode, Model>> = {
  'pre-copy': replayRounds,
  hybrid: replayRounds,
  'post-copy': replayPostcopy,
};

/**
 * The trace of a ledger under its own settings but for those given.
 * @throws OperationError ledger.invalid where no round ended
 */
export function replayMigration(ledger: Ledger, given: Partial<MigrationSettings>): Replay {
  const trace = traceOf(ledger);
  if (trace === null) {
    throw new OperationError({
      code: 'ledger.invalid',
      message: `there is nothing to replay: no round of ${ledger.begin.operation} ended (its mode was ${ledger.begin.mode})`,
    });
  }
  const settings = { ...trace.settings, ...given };
  return models[settings.mode](trace, settings);
}
