/** What is migrated: the guest's size and what it does meanwhile. */
export interface Dirtier {
  readonly mib: number;
  readonly pagesPerS: number;
  readonly mode: 'counter' | 'page';
}

export interface Cell {
  readonly name: string;
  readonly memoryMib: number;
  /** Random bytes that the guest holds and does not touch. */
  readonly filledMib: number;
  readonly dirtier: Dirtier | null;
  /** Both sides may slow the vCPU down. */
  readonly autoConverge: boolean;
}

const plain = { memoryMib: 256, filledMib: 0, dirtier: null, autoConverge: false } as const;

/** The cell without a ticker: its guest sleeps. */
export const sleepingCell: Cell = { ...plain, name: 'sleeping' };

export const tickingCells: readonly Cell[] = [
  { ...plain, name: 'idle' },
  { ...plain, name: '16MiB-1k', dirtier: { mib: 16, pagesPerS: 1000, mode: 'counter' } },
  { ...plain, name: '64MiB-50k-counter', dirtier: { mib: 64, pagesPerS: 50_000, mode: 'counter' } },
  {
    ...plain,
    name: '64MiB-50k-page',
    dirtier: { mib: 64, pagesPerS: 50_000, mode: 'page' },
    autoConverge: true,
  },
  { ...plain, name: '1GiB-bulk', memoryMib: 1024, filledMib: 512 },
];
