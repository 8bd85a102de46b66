import type { GuestHistory } from '@skein/shared';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GuestConsole } from './guest-console.ts';

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));

describe('a guest’s console', () => {
  it('keeps the last 64 KiB and counts every byte, however they come', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50_000 }), { maxLength: 8 }), (chunks) => {
        const console = new GuestConsole();
        for (const chunk of chunks) console.append(new Uint8Array(chunk));
        const whole = Buffer.concat(chunks);
        expect(console.position).toBe(whole.length);
        expect(Buffer.from(console.backlog).equals(whole.subarray(-65_536))).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  it('finds the kernel’s version and the ready line, also when they come in pieces, and tells once', () => {
    const text =
      '\r\n[    0.000000] Linux version 7.2.12+deb14-riscv64 (debian)\r\nskein-guest: ready web1\r\nskein-guest: ready web1\r\n';
    for (let cut = 1; cut < text.length; cut++) {
      const console = new GuestConsole();
      let times = 0;
      console.onReady = () => {
        times += 1;
      };
      console.append(bytes(text.slice(0, cut)));
      console.append(bytes(text.slice(cut)));
      expect(console.kernel).toBe('7.2.12+deb14-riscv64');
      expect(times).toBe(1);
    }
  });

  it('finds a kernel’s last words, and takes no program’s line for them', () => {
    const console = new GuestConsole();
    console.append(bytes('Kernel panic - not syncing: says a program\r\n'));
    expect(console.panic).toBeNull();
    console.append(bytes('[    1.234567] Kernel panic - not syncing: Attempted to kill init! exitcode=0x0'));
    console.append(bytes('0000009\r\n'));
    expect(console.panic).toBe('Attempted to kill init! exitcode=0x00000009');
    const target = new GuestConsole();
    const { backlog: consoleBacklog, position: consolePosition } = console;
    target.adopt({
      consoleBacklog,
      consolePosition,
      kernel: '7.2',
      firstStepMs: 1,
      readyMs: 2,
      startedFrom: 'kernel',
      isConsoleRead: false,
    });
    expect(target.panic).toBe(console.panic);
  });

  it('finds at the target of a migration what it would have found without one, wherever the text is cut', () => {
    const said = 'x\r\n[    0.0] Linux version 7.2 (debian)\r\nskein-guest: ready web1\r\n$ \r\n';
    const text = `${said}[    1.2] Kernel panic - not syncing: no init\r\n`;
    for (let cut = 0; cut <= text.length; cut++) {
      for (let adopted = cut; adopted <= Math.min(cut + 40, text.length); adopted++) {
        let isReady = false;
        const ready = (): void => {
          isReady = true;
        };
        const source = new GuestConsole();
        source.onReady = ready;
        source.append(bytes(text.slice(0, cut)));
        const history: GuestHistory = {
          consoleBacklog: source.backlog,
          consolePosition: source.position,
          kernel: source.kernel,
          firstStepMs: 1,
          readyMs: isReady ? 2 : null,
          startedFrom: 'kernel',
          isConsoleRead: false,
        };
        const target = new GuestConsole();
        target.onReady = ready;
        // Said at the target before its history comes, and afterwards.
        target.append(bytes(text.slice(cut, adopted)));
        target.adopt(history);
        target.append(bytes(text.slice(adopted)));
        expect([target.kernel, target.panic, isReady]).toEqual(['7.2', 'no init', true]);
        expect(target.position).toBe(text.length);
      }
    }
  });

  it('takes no end of a program’s line for a panic because its beginning was said before a migration', () => {
    const target = new GuestConsole();
    target.append(bytes('[    1.2] Kernel panic - not syncing: says a program\n'));
    target.adopt({
      consoleBacklog: bytes('app: '),
      consolePosition: 5,
      kernel: '7.2',
      firstStepMs: 1,
      readyMs: 2,
      startedFrom: 'kernel',
      isConsoleRead: false,
    });
    expect(target.panic).toBeNull();
  });

  it('does not take a line for the ready line that only contains it', () => {
    const console = new GuestConsole();
    let isReady = false;
    console.onReady = () => {
      isReady = true;
    };
    console.append(bytes('echo skein-guest: ready web1\n'));
    expect(isReady).toBe(false);
  });

  it('goes on from where the source of a migration was', () => {
    const console = new GuestConsole();
    console.adopt({
      consolePosition: 1_000_000,
      consoleBacklog: bytes('old '),
      kernel: '7.2',
      firstStepMs: 1,
      readyMs: 2,
      startedFrom: 'kernel',
      isConsoleRead: false,
    });
    console.append(bytes('new'));
    expect(console.position).toBe(1_000_003);
    expect(Buffer.from(console.backlog).toString()).toBe('old new');
    expect(console.kernel).toBe('7.2');
  });
});
