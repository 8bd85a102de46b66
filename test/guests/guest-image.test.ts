/** The guest image with Debian's kernel in QEMU, and what a test is told where QEMU fails it. */
import { afterAll, describe, expect, test } from 'vitest';
import { QemuProcess, qemuBoardArguments } from '../support/qemu.ts';
import { describeImageInQemu } from './image-in-qemu.ts';

/** Several times what a busy machine needs: emulation alone takes three seconds. */
const bootDeadlineMs = 60_000;
const answerDeadlineMs = 30_000;

const running: QemuProcess[] = [];
afterAll(async () => void (await Promise.all(running.map((guest) => guest.kill()))));

describeImageInQemu('debian');

describe('the handling of QEMU', () => {
  test('says why when QEMU ends instead of printing what is waited for', async () => {
    const guest = QemuProcess.start(['-machine', 'no-such-board']);
    running.push(guest);
    await expect(guest.waitFor(/never/, answerDeadlineMs)).rejects.toThrow(
      /ended before.*unsupported machine type/s,
    );
    expect(await guest.exit(answerDeadlineMs)).toBe(1);
  });

  test('says what the console showed when the deadline passes', async () => {
    const guest = QemuProcess.start([...qemuBoardArguments, '-m', '64']);
    running.push(guest);
    await guest.waitFor(/OpenSBI/, bootDeadlineMs);
    await expect(guest.waitFor(/never printed/, 50)).rejects.toThrow(/did not show.*within 50 ms.*OpenSBI/s);
    await guest.kill();
  });
});
