/**
 * What a migration would have cost with other settings, on the trace of one that took place. A model: the decisions are
 * the very same ones that an agent makes, the guest and the link are as the trace shows them. A mode that can be replayed
 * is an entry in the table of models.
 */
import { OperationError } from '../../errors.ts';
import type { MigrationMode, MigrationSettings } from '../../model/migration.ts';
import type { Ledger } from '../read-ledger.ts';
import type { Replay } from './outcome.ts';
import { replayPrecopy } from './replay-pre-copy.ts';
import { type Trace, traceOf } from './trace.ts';

type Model = (trace: Trace, settings: MigrationSettings) => Replay;

const models: Partial<Record<MigrationMode, Model>> = { 'pre-copy': replayPrecopy };

/**
 * The trace of a ledger under its own settings but for those given.
 * @throws OperationError ledger.invalid where no round ended; request.invalid for a mode without a model
 */
export function replayMigration(ledger: Ledger, given: Partial<MigrationSettings>): Replay {
  const trace = traceOf(ledger);
  if (trace === null) {
    throw new OperationError({
      code: 'ledger.invalid',
      message: `there is nothing to replay: no round of ${ledger.begin.operation} ended`,
    });
  }
  const settings = { ...trace.settings, ...given };
  const model = models[settings.mode];
  if (model !== undefined) return model(trace, settings);
  throw new OperationError({
    code: 'request.invalid',
    message: `there is no model of the mode ${settings.mode} yet; there is ${Object.keys(models).join(', ')}`,
  });
}
