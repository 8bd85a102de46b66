import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HeldInput } from './held-input.ts';

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

let delivered: string;
let input: HeldInput;
beforeEach(() => {
  vi.useFakeTimers();
  delivered = '';
  input = new HeldInput({
    readyMarker: 'guest: ready',
    deliver: (typed) => {
      delivered += Buffer.from(typed).toString();
    },
  });
});
afterEach(() => {
  input.close();
  vi.useRealTimers();
});

describe('input that is piped to a booting machine', () => {
  it('waits for the ready line, also when it comes in pieces, and for the prompt behind it', () => {
    input.type(bytes('uname\n'));
    input.heard(bytes('Linux version\r\nguest: re'));
    vi.advanceTimersByTime(1000);
    expect(delivered).toBe('');
    input.heard(bytes('ady web\r\n'));
    input.heard(bytes('~# '));
    vi.advanceTimersByTime(499);
    expect(delivered).toBe('');
    vi.advanceTimersByTime(1);
    expect(delivered).toBe('uname\n');
  });

  it('waits for silence where the guest does not say that it is ready', () => {
    input.type(bytes('a'));
    input.heard(bytes('another kernel\r\n'));
    vi.advanceTimersByTime(2999);
    input.heard(bytes('more\r\n'));
    vi.advanceTimersByTime(2999);
    expect(delivered).toBe('');
    vi.advanceTimersByTime(1);
    expect(delivered).toBe('a');
  });

  it('goes straight through afterwards, in order', () => {
    input.type(bytes('1'));
    input.heard(bytes('guest: ready'));
    vi.advanceTimersByTime(500);
    input.type(bytes('2'));
    expect(delivered).toBe('12');
  });
});
