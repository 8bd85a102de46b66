import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Column, formatTable } from './table.ts';

const columns: readonly Column<{ readonly name: string | null; readonly count: number }>[] = [
  { header: 'NAME', value: ({ name }) => name },
  { header: 'COUNT', value: ({ count }) => count, alignsRight: true },
  { header: 'TWICE', value: ({ count }) => count * 2, isWide: true },
];

describe('a table', () => {
  it('pads columns to their widest cell and leaves no blanks at the end of lines', () => {
    const rows = [
      { name: 'web1', count: 7 },
      { name: null, count: 123_456 },
    ];
    expect(formatTable(columns, rows, false)).toBe('NAME   COUNT\nweb1       7\n-     123456\n');
  });

  it('shows wide columns only when asked for', () => {
    expect(formatTable(columns, [{ name: 'a', count: 1 }], true)).toBe(
      'NAME  COUNT  TWICE\na         1  2\n',
    );
  });

  it('has one line for each row, whatever strangers wrote into its cells', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (names) => {
        const text = formatTable(
          columns,
          names.map((name) => ({ name, count: 1 })),
          true,
        );
        expect(text.split('\n')).toHaveLength(names.length + 2);
        expect(text).not.toContain('\x1b');
      }),
    );
  });
});
