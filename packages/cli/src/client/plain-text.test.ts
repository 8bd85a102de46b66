import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PlainText } from './plain-text.ts';

describe('plain text of a console', () => {
  it('is the same wherever the stream is cut: in a character, in an escape sequence', () => {
    const bytes = new TextEncoder().encode('\x1b[1;31mgrößer\x1b[0m\r\nweb1:~# \x1b[6n€\r\n\x1b[?25h# ');
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 8 }), (cuts) => {
        const places = [0, ...cuts.sort((a, b) => a - b), bytes.length];
        const plain = new PlainText();
        const text = places.slice(1).map((place, index) => plain.push(bytes.subarray(places[index], place)));
        expect(text.join('')).toBe('größer\nweb1:~# €\n# ');
      }),
    );
  });

  it('does not wait for ever for the end of an escape sequence', () => {
    const plain = new PlainText();
    const text =
      plain.push(new TextEncoder().encode(`\x1b[${'1'.repeat(100)}`)) +
      plain.push(new TextEncoder().encode('x'));
    expect(text).toContain('x');
  });
});
