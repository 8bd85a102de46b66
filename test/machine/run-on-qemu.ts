/**
 * Runs a batch on QEMU. Its RAM is a file that both of us map: the batch is put in before the start and read out
 * after the end, so nothing has to be sent anywhere.
 */
import { spawn } from 'node:child_process';
import { closeSync, ftruncateSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Batch, type Outcome, readOutcomes } from './batch.ts';
import { ramBase, ramMib } from './memory-map.ts';
import { NoEndError } from './no-end-error.ts';

/** A batch takes less than half a second on a machine that has nothing else to do. */
const deadlineMs = 20_000;
/** What QEMU's rv64 has on by itself and Skein's machine does not have: extensions and the debug triggers. */
const absent = ['h', 'zbc', 'debug'].map((name) => `${name}=false`);
const present = ['zba', 'zbb', 'zbs', 'sstc'].map((name) => `${name}=true`);
const processor = ['rv64', ...present, ...absent].join(',');

/**
 * @param limitMs how long it may take
 * @throws Error with what to install when QEMU is absent; NoEndError when the batch does not come to its end
 */
export async function runOnQemu(batch: Batch, limitMs = deadlineMs): Promise<readonly Outcome[]> {
  const folder = mkdtempSync(join(tmpdir(), 'skein-differential-'));
  const path = join(folder, 'ram');
  const ram = openSync(path, 'w+');
  try {
    ftruncateSync(ram, ramMib * 1024 * 1024);
    for (const { address, bytes } of batch.parts) writeSync(ram, bytes, 0, bytes.length, address - ramBase);
    await runQemu(path, limitMs);
    return readOutcomes(batch.programs.length, (address, length) => {
      const bytes = new Uint8Array(length);
      readSync(ram, bytes, 0, length, address - ramBase);
      return bytes;
    });
  } finally {
    closeSync(ram);
    rmSync(folder, { recursive: true });
  }
}

function runQemu(ramPath: string, limitMs: number): Promise<void> {
  const args = [
    ...['-M', 'virt,memory-backend=ram', '-cpu', processor, '-m', `${ramMib}M`, '-bios', 'none'],
    ...['-object', `memory-backend-file,id=ram,size=${ramMib}M,mem-path=${ramPath},share=on`],
    ...['-nodefaults', '-display', 'none', '-serial', 'none', '-monitor', 'none', '-no-reboot'],
  ];
  const child = spawn('qemu-system-riscv64', args, {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const deadline = setTimeout(() => child.kill('SIGKILL'), limitMs);
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-2000);
  });
  return new Promise((resolve, reject) => {
    child.once('error', (cause: NodeJS.ErrnoException) => {
      clearTimeout(deadline);
      const advice = cause.code === 'ENOENT' ? '; apt-get install qemu-system-misc' : '';
      reject(new Error(`qemu-system-riscv64 could not be started (${cause.message})${advice}`, { cause }));
    });
    child.once('close', (code) => {
      clearTimeout(deadline);
      if (code === 0) resolve();
      else if (code === null) reject(new NoEndError(['qemu'], `QEMU has not ended after ${limitMs} ms`));
      else reject(new Error(`qemu-system-riscv64 ended with ${code}: ${complaint}`));
    });
  });
}
