import { describe, expect, it } from 'vitest';
import { ConsoleObserver } from './observer.ts';

describe('the observer', () => {
  it('takes a line for heard when its end has arrived, however the console is cut', () => {
    const observer = new ConsoleObserver();
    const text = '# t 1 1000\r\nt 2 2000\r\ndirtier: 50 50\r\nt 3 3000\r\n';
    for (const letter of text.slice(0, -1)) observer.hear(letter);
    expect(observer.ticks.map(({ counter }) => counter)).toEqual([1, 2]);
    observer.hear('\n');
    expect(observer.ticks.map(({ counter }) => counter)).toEqual([1, 2, 3]);
    const times = observer.ticks.map(({ atMs }) => atMs);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(observer.text).toContain('dirtier: 50 50');
    expect(observer.text).not.toContain('t 2 2000');
  });

  it('resolves at the piece of console that has what is waited for', async () => {
    const observer = new ConsoleObserver();
    const found = observer.until('a word', 10_000, () => /word \d+/.exec(observer.text)?.[0]);
    observer.hear('no ');
    observer.hear('word 4');
    observer.hear('2\n');
    await expect(found).resolves.toBe('word 42');
  });

  it('says what did not come, and what came instead', async () => {
    const observer = new ConsoleObserver();
    observer.hear('something else\n');
    await expect(observer.until('a word', 1, () => null)).rejects.toThrow(
      /a word: not within 1 ms.*something else/,
    );
    await expect(observer.within(1, () => null)).resolves.toBeNull();
  });

  it('begins anew when it is told to forget', () => {
    const observer = new ConsoleObserver();
    observer.hear('t 1 1\nword\n');
    observer.forget();
    expect([observer.ticks, observer.text]).toEqual([[], '']);
  });
});
