import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OperationError } from '../errors.ts';
import type { MigrationRecord } from '../model/migration.ts';
import { type MigrationObservation, nothingObserved } from '../model/observation.ts';
import { ledgerVersion } from './ledger.ts';
import { readLedger } from './read-ledger.ts';
import { observationOf, recordOf } from './testing/records.ts';
import { formatLedger, ledgerLines } from './write-ledger.ts';

const textOf = (record: MigrationRecord, observation: MigrationObservation = nothingObserved): string =>
  formatLedger(ledgerLines(record, observation));

const thisVersion = `"ledger":${ledgerVersion}`;

function codeOf(text: string): string {
  try {
    readLedger(text);
    return 'it was read';
  } catch (error) {
    return error instanceof OperationError ? error.code : String(error);
  }
}

describe('the ledger of a migration', () => {
  it('is read back as it was written, whatever the record', () => {
    fc.assert(
      fc.property(recordOf, observationOf, (record, observation) => {
        expect(readLedger(textOf(record, observation)).lines).toEqual(ledgerLines(record, observation));
      }),
    );
  });

  it('has a line for each round, with every page of it in one kind', () => {
    fc.assert(
      fc.property(recordOf, (record) => {
        const { rounds } = readLedger(textOf(record));
        const pages = rounds.map(
          ({ ram, 'xbzrle-cache': { pages }, 'free-pages': free }) =>
            ram.duplicate + free + ram.normal + pages,
        );
        expect(pages).toEqual(record.rounds.map((round) => round.pages));
      }),
    );
  });

  it('splits the bytes into those of before and those of the downtime', () => {
    fc.assert(
      fc.property(recordOf, (record) => {
        const { ram } = readLedger(textOf(record)).end;
        const sent = record.rounds.reduce((sum, { bytes }) => sum + bytes, 0);
        expect(ram['precopy-bytes'] + ram['downtime-bytes']).toBe(sent);
      }),
    );
  });

  it('holds the prediction against the outcome, in the round before the stop alone', () => {
    const record = aRecord();
    const { rounds } = readLedger(textOf(record));
    expect(rounds.map(({ phase, outcome }) => [phase, outcome])).toEqual([
      ['pre-copy', null],
      ['pre-copy', { downtime: 9, 'expected-downtime-error': 2 }],
      ['stop-and-copy', null],
    ]);
    expect(rounds[2]?.['expected-downtime']).toBeNull();
  });

  it('holds no prediction against a downtime in which nothing was sent, for the rest followed', () => {
    const sent = { pages: 5, freePages: 3, demandPages: 2, bytes: 9, uncompressedBytes: 12 };
    const postcopy = { ...sent, durationMs: 3, waitMs: 2, waitMsMax: 1.5 };
    const { rounds, lines } = readLedger(textOf({ ...aRecord(), postcopy }));
    expect(rounds.map(({ outcome }) => outcome)).toEqual([null, null, null]);
    expect(lines.find(({ event }) => event === 'post-copy')).toEqual({
      event: 'post-copy',
      pages: 5,
      'free-pages': 3,
      'duration-ms': 3,
      ram: { 'postcopy-requests': 2, 'postcopy-bytes': 9 },
      'uncompressed-bytes': 12,
      'postcopy-blocktime': 2,
      'postcopy-blocktime-max': 1.5,
    });
  });

  it('has the downtime by each clock that was observed, and what that is worth', () => {
    const window = { hasEnded: true, windowMs: 70, readings: 60, lost: 2 };
    const guest = { ...window, gapMs: 12.5, controlGapMs: 3, controlWindowMs: 1001 };
    const { downtime, observations } = readLedger(textOf(aRecord(), { guest, network: null }));
    expect(downtime?.clocks).toEqual({ hypervisor: 9, guest: 12.5, network: null });
    expect(observations).toEqual([
      {
        event: 'observation',
        clock: 'guest',
        'gap-ms': 12.5,
        'has-ended': true,
        'window-ms': 70,
        readings: 60,
        lost: 2,
        'control-gap-ms': 3,
        'control-window-ms': 1001,
      },
    ]);
    expect(readLedger(textOf(aRecord())).observations).toEqual([]);
  });

  it('has them as well where no host can tell how long the guest stood', () => {
    const network = { gapMs: 20, hasEnded: true, windowMs: 70, readings: 9, lost: 0 };
    const observation = { guest: null, network: { ...network, controlGapMs: null, controlWindowMs: 0 } };
    const { downtime, observations } = readLedger(textOf({ ...aRecord(), downtimeMs: 0 }, observation));
    expect([downtime, observations.map(({ clock }) => clock)]).toEqual([null, ['network']]);
  });

  it.each([2, 3, 4])('is read as well in its version %d, which had the same lines but these', (version) => {
    const before = textOf({ ...aRecord(), ahead: null }).replace(thisVersion, `"ledger":${version}`);
    expect(readLedger(before)).toMatchObject({ begin: { ledger: version }, observations: [] });
  });

  it('is read as well where it was written before free pages were told apart', () => {
    const before = textOf(aRecord())
      .replace(thisVersion, '"ledger":1')
      .replaceAll('"free-pages":3,', '')
      .replaceAll('"rewritten-pages":2,', '');
    expect(readLedger(before).rounds.map((round) => round['free-pages'])).toEqual([0, 0, 0]);
    expect(readLedger(before).rounds.map((round) => round['rewritten-pages'])).toEqual([0, 0, 0]);
  });

  it('tells what the target did ahead of the guest, where the guest came', () => {
    const ahead = { allocatedPages: 11_000, decodedPages: 160, headStartSteps: 42_000 };
    const { lines } = readLedger(textOf({ ...aRecord(), ahead }));
    expect(lines.find(({ event }) => event === 'ahead')).toEqual({
      event: 'ahead',
      'allocated-pages': 11_000,
      'decoded-pages': 160,
      'head-start-steps': 42_000,
    });
    expect(textOf({ ...aRecord(), ahead: null })).not.toContain('ahead');
  });

  it('is read in its version 5, whose guests took no step before their lease had passed', () => {
    const ahead = { allocatedPages: 11_000, decodedPages: 160, headStartSteps: 0 };
    const before = textOf({ ...aRecord(), ahead })
      .replace(thisVersion, '"ledger":5')
      .replace(',"head-start-steps":0', '');
    expect(before).not.toContain('head-start');
    const { lines } = readLedger(before);
    expect(lines.find(({ event }) => event === 'ahead')).toMatchObject({ 'head-start-steps': 0 });
  });

  it('tells the bound of the error with what the target measured, and with that alone', () => {
    const { lines } = readLedger(textOf(aRecord()));
    const moments = lines.filter((line) => line.event === 'moment');
    expect(moments.map((line) => [line.moment, line.host, line['error-ms']])).toEqual([
      ['suspendRequestedMs', 'h1', 0],
      ['suspendedMs', 'h1', 0],
      ['readyMs', 'h2', 0.25],
    ]);
  });

  it('is refused with its line when it was cut, mixed up or made up', () => {
    const text = textOf(aRecord());
    const lines = text.split('\n');
    const without = (index: number): string => lines.toSpliced(index, 1).join('\n');
    for (const broken of [
      '',
      '\n',
      'null\n',
      '{"event":"begin"}\n',
      without(0),
      without(1),
      lines.slice(0, -2).join('\n'),
      lines.toSpliced(1, 0, lines[0] ?? '').join('\n'),
      text.replace('"round":2', '"round":7'),
      text.replace(thisVersion, `"ledger":${ledgerVersion + 1}`),
      text.replace('"transferred":', '"transferred":-'),
      text.replace('"event":"clock"', '"event":"clock","more":1'),
      'x'.repeat(5 << 20),
    ])
      expect(codeOf(broken)).toBe('ledger.invalid');
    expect(() => readLedger(text.replace('"round":2', '"round":7'))).toThrow(/line 3 is round 7, round 2/);
  });

  it('never takes a stranger for a ledger, and says so in our own error', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(codeOf(text)).toBe('ledger.invalid');
      }),
    );
  });
});

function aRecord(): MigrationRecord {
  const [given] = fc.sample(recordOf, { numRuns: 1, seed: 6 });
  const round = (number: number, startedMs: number, predictedDowntimeMs: number) => ({
    round: number,
    pages: 10,
    zeroPages: 1,
    freePages: 3,
    rewrittenPages: 2,
    deltaPages: 2,
    bytes: 100,
    uncompressedBytes: 100,
    startedMs,
    durationMs: 5,
    throttlePercent: 0,
    bandwidthBytesPerS: 20_000,
    dirtyPagesPerS: 0,
    remainingPages: 0,
    predictedDowntimeMs,
  });
  const none = { lastPagesSentMs: null, finalSentMs: null, readyHeardMs: null, passedMs: null };
  return {
    ...(given as MigrationRecord),
    outcome: 'committed',
    postcopy: null,
    rounds: [round(1, 0, 50), round(2, 6, 7), round(3, 12, 0)],
    moments: {
      ...none,
      suspendRequestedMs: 11,
      suspendedMs: 11.5,
      readyMs: 14,
      grantedMs: null,
      resumedMs: null,
      endedMs: null,
    },
    downtimeMs: 9,
    clockOffsetErrorMs: 0.25,
  };
}
