/** Reads a ledger back. It may come from anywhere: each line and their order are checked, with bounds. */
import type { z } from 'zod';
import { OperationError } from '../errors.ts';
import {
  type LedgerBegin,
  type LedgerDowntime,
  type LedgerEnd,
  LedgerLine,
  type LedgerObservation,
  type LedgerPhase,
  type LedgerPostcopy,
  type LedgerRound,
} from './ledger.ts';

export interface Ledger {
  readonly lines: readonly LedgerLine[];
  readonly begin: z.infer<typeof LedgerBegin>;
  readonly rounds: readonly LedgerRound[];
  readonly phases: readonly z.infer<typeof LedgerPhase>[];
  /** Null where the guest never stood, or no host can tell for how long. */
  readonly downtime: z.infer<typeof LedgerDowntime> | null;
  /** One for each clock that was observed. */
  readonly observations: readonly z.infer<typeof LedgerObservation>[];
  /** Null where nothing followed. */
  readonly postcopy: z.infer<typeof LedgerPostcopy> | null;
  readonly end: z.infer<typeof LedgerEnd>;
}

/** A migration of a thousand rounds has a tenth of that. */
export const ledgerCharactersMax = 4 << 20;
const linesMax = 10_000;

/** @throws OperationError ledger.invalid, with the line */
export function readLedger(text: string): Ledger {
  if (text.length > ledgerCharactersMax) throw invalid(`it is longer than ${ledgerCharactersMax} characters`);
  const texts = text.split('\n');
  if (texts.at(-1) === '') texts.pop();
  if (texts.length > linesMax) throw invalid(`it has more than ${linesMax} lines`);
  const lines = texts.map((line, index) => readLine(line, index + 1));
  const [begin] = lines;
  const end = lines.at(-1);
  if (begin?.event !== 'begin') throw invalid('its first line is no `begin`');
  if (end?.event !== 'end') throw invalid('its last line is no `end`: it was cut off');
  refuseDisorder(lines);
  const of = <E extends LedgerLine['event']>(event: E): Extract<LedgerLine, { event: E }>[] =>
    lines.filter((line): line is Extract<LedgerLine, { event: E }> => line.event === event);
  return {
    lines,
    begin,
    rounds: of('round'),
    phases: of('phase'),
    downtime: of('downtime')[0] ?? null,
    observations: of('observation'),
    postcopy: of('post-copy')[0] ?? null,
    end,
  };
}

function readLine(text: string, number: number): LedgerLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid(`line ${number} is no JSON`);
  }
  const parsed = LedgerLine.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue === undefined || issue.path.length === 0 ? '' : ` (${issue.path.join('.')})`;
  throw invalid(`line ${number}${where}: ${issue?.message ?? 'it is no line of a ledger'}`);
}

/** Lines that were lost or came twice would make figures that look right. */
function refuseDisorder(lines: readonly LedgerLine[]): void {
  let round = 0;
  const once = new Set<string>();
  for (const [index, line] of lines.entries()) {
    if (line.event === 'round') {
      round += 1;
      if (line.round !== round)
        throw invalid(`line ${index + 1} is round ${line.round}, round ${round} should follow`);
      continue;
    }
    const key = keyOf(line);
    if (once.has(key)) throw invalid(`line ${index + 1} tells ${key} a second time`);
    once.add(key);
  }
}

function keyOf(line: Exclude<LedgerLine, LedgerRound>): string {
  switch (line.event) {
    case 'moment':
      return `moment ${line.moment}`;
    case 'phase':
      return `phase ${line.phase}`;
    case 'observation':
      return `observation ${line.clock}`;
    default:
      return line.event;
  }
}

function invalid(reason: string): OperationError {
  return new OperationError({
    code: 'ledger.invalid',
    message: `this is no whole ledger of a migration: ${reason}; \`skein migration ledger ID\` writes one`,
  });
}
