import { describe, expect, it } from 'vitest';
import { CounterBlock } from './counter-block.ts';

const names = ['frames', 'bytes'] as const;

describe('a counter block', () => {
  it('is read by whoever has its buffer', () => {
    const counting = new CounterBlock(names);
    const reading = new CounterBlock(names, counting.buffer);
    counting.add('frames');
    counting.add('bytes', 2 ** 40);
    counting.add('bytes', 1);
    expect(reading.readAll()).toEqual({ frames: 1, bytes: 2 ** 40 + 1 });
    counting.set('frames', 7n);
    expect(reading.read('frames')).toBe(7);
  });

  it('is refused under other names than it was made with', () => {
    expect(() => new CounterBlock(['frames'], new CounterBlock(names).buffer)).toThrow(
      'a word for each name',
    );
  });
});
