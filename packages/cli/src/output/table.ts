/** A table for people: columns padded to their widest cell, two spaces between, no trailing blanks. */
export interface Column<T> {
  readonly header: string;
  readonly value: (row: T) => string | number | null;
  /** Shown with `--output wide` only. */
  readonly isWide?: boolean;
  readonly alignsRight?: boolean;
  /** Of cells that are not known yet, in a table that grows. */
  readonly widthMin?: number;
  /** Changes all the time: of itself no news to whoever watches. */
  readonly isGauge?: boolean;
}

export function cellsOf<T>(columns: readonly Column<T>[], row: T): readonly string[] {
  return columns.map((column) => cell(column.value(row)));
}

export function formatTable<T>(columns: readonly Column<T>[], rows: readonly T[], isWide: boolean): string {
  const shown = columns.filter((column) => isWide || column.isWide !== true);
  const lines = [shown.map((column) => column.header), ...rows.map((row) => cellsOf(shown, row))];
  const widths = shown.map((_, index) => Math.max(...lines.map((line) => (line[index] ?? '').length)));
  return lines.map((line) => `${formatLine(shown, line, widths)}\n`).join('');
}

/** A table whose rows come one by one: as no cell to come is known, columns have a width beforehand. */
export class GrowingTable<T> {
  readonly #columns: readonly Column<T>[];
  readonly #widths: readonly number[];
  #hasHeader = false;

  constructor(columns: readonly Column<T>[]) {
    this.#columns = columns;
    this.#widths = columns.map(({ header, widthMin = 0 }) => Math.max(header.length, widthMin));
  }

  /** The row's line, before the first one the header's. */
  linesOf(row: T): readonly string[] {
    const line = formatLine(this.#columns, cellsOf(this.#columns, row), this.#widths);
    if (this.#hasHeader) return [line];
    this.#hasHeader = true;
    const headers = this.#columns.map(({ header }) => header);
    return [formatLine(this.#columns, headers, this.#widths), line];
  }
}

function formatLine<T>(
  columns: readonly Column<T>[],
  cells: readonly string[],
  widths: readonly number[],
): string {
  return cells
    .map((text, index) => {
      const width = widths[index] ?? 0;
      return columns[index]?.alignsRight === true ? text.padStart(width) : text.padEnd(width);
    })
    .join('  ')
    .trimEnd();
}

/** Never a line break or a control character: cells may hold what a guest or a stranger wrote. */
function cell(value: string | number | null): string {
  if (value === null || value === '') return '-';
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : value.toFixed(1);
  return [...value].map((character) => (isControl(character) ? ' ' : character)).join('');
}

function isControl(character: string): boolean {
  const code = character.codePointAt(0) ?? 0;
  return code < 0x20 || (code >= 0x7f && code < 0xa0);
}
