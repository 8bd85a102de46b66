import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exampleMigration, exampleRounds } from '../testing/example-migration.ts';
import { migrationPage } from './page.ts';

const nobody = { guest: null, network: null };
const roundsDrawn = (page: string): readonly (string | undefined)[] =>
  [...page.matchAll(/data-round="(\d+)"/g)].map(([, round]) => round);

describe('the report of a migration', () => {
  it('says whose it is, by the name that people know', () => {
    expect(migrationPage(exampleMigration, nobody, 'db<1>')).toMatch(/<h1>db&#60;1&#62;: h1 → h2/);
  });

  it('has every round in both of its bar charts and in its table', () => {
    const page = migrationPage(exampleMigration, nobody, 'web1');
    expect(roundsDrawn(page)).toEqual(['1', '2', '3', '1', '2', '3']);
    expect(page.match(/<tr><td>/g)).toHaveLength(3);
    expect(page).toContain('23493');
  });

  it('has every round of however many', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), (count) => {
        const [first] = exampleRounds;
        const rounds = Array.from({ length: count }, (_, index) => ({ ...first, round: index + 1 }));
        const page = migrationPage({ ...exampleMigration, rounds: rounds as never }, nobody, 'web1');
        const numbers = rounds.map(({ round }) => String(round));
        expect(roundsDrawn(page)).toEqual([...numbers, ...numbers]);
        expect(page).not.toMatch(/NaN|Infinity|undefined/);
      }),
      { numRuns: 20 },
    );
  });

  it('draws what was left out of a round on top of what was sent, and does not count it', () => {
    const leftOut = (page: string): readonly string[] =>
      [...page.matchAll(/round \d+: \d+ pages left out/g)].map(([note]) => note);
    const counted = (page: string): readonly string[] =>
      [...page.matchAll(/<text[^>]*class="value"[^>]*>[^<]*/g)].map(([text]) => text.replace(/^[^>]*>/, ''));
    const without = migrationPage(exampleMigration, nobody, 'web1');
    const rounds = exampleRounds.map((round) => ({ ...round, rewrittenPages: round.round === 1 ? 1234 : 0 }));
    const page = migrationPage({ ...exampleMigration, rounds }, nobody, 'web1');
    expect(leftOut(without)).toEqual([]);
    expect(leftOut(page)).toEqual(['round 1: 1234 pages left out']);
    expect(counted(page)).toEqual(counted(without));
    expect(counted(page).length).toBeGreaterThan(0);
  });

  it('needs nothing beside itself: no network, no script', () => {
    const page = migrationPage(exampleMigration, nobody, 'web1');
    expect(page).not.toMatch(/<script|https?:|\bsrc=|<link|@import|url\(/);
    expect(page).toMatch(/^<!doctype html>/);
  });

  it('says of each clock that nobody read that it was not observed', () => {
    const absent = (page: string): number => page.match(/not observed/g)?.length ?? 0;
    expect(absent(migrationPage(exampleMigration, nobody, 'web1'))).toBe(2);
    expect(absent(migrationPage(exampleMigration, { guest: { gapMs: 9.4 }, network: null }, 'web1'))).toBe(1);
    expect(
      migrationPage(exampleMigration, { guest: { gapMs: 9.4 }, network: { gapMs: 12 } }, 'web1'),
    ).toContain('9.40 ms');
  });

  it('shows what was observed where no host can tell how long the guest stood', () => {
    const record = { ...exampleMigration, downtimeMs: 0 };
    expect(migrationPage(record, nobody, 'web1')).not.toContain('three clocks');
    const page = migrationPage(record, { guest: null, network: { gapMs: 1234 } }, 'web1');
    expect(page).toContain('1234 ms');
    expect(page).not.toContain('Downtime in its parts');
  });

  it('calls no downtime what was seen of one that was given up', () => {
    const record = { ...exampleMigration, downtimeMs: 0, outcome: 'aborted' as const };
    const page = migrationPage(record, { guest: { gapMs: 3.25 }, network: null }, 'web1');
    expect(page).toMatch(/Seen from outside[\s\S]*3\.25 ms/);
    expect(page).not.toMatch(/three clocks|hypervisor's/);
  });

  it('tells what the target did before the guest came', () => {
    const page = migrationPage(exampleMigration, nobody, 'web1');
    expect(page).toMatch(/11900 pages had their memory, and 160 pages of code were decoded/);
    expect(migrationPage({ ...exampleMigration, ahead: null }, nobody, 'web1')).not.toContain(
      'had their memory',
    );
  });

  it('is a page as well of one that was given up before anything was sent', () => {
    const record = {
      ...exampleMigration,
      outcome: 'aborted' as const,
      reason: 'h2 went away',
      rounds: [],
      moments: null,
      settings: null,
      precopyEnd: null,
      downtimeMs: 0,
      totalMs: 0,
      phases: { precopyMs: 0, stopAndCopyMs: 0, postcopyMs: 0 },
    };
    const page = migrationPage(record, nobody, 'web1');
    expect(page).toContain('h2 went away');
    expect(page).not.toContain('Downtime in its parts');
    expect(page).not.toMatch(/NaN|Infinity|undefined/);
  });

  it('shows what a host said as text, whatever it is', () => {
    const page = migrationPage({ ...exampleMigration, reason: '<img onerror="alert(1)">' }, nobody, 'web1');
    expect(page).not.toContain('<img');
    expect(page).toContain('&#60;img onerror=&#34;');
  });
});
