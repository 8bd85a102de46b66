/** Holds the next fdatasync of this process where it stands, and lets it go on or fail: what a test cannot wait for. */
import { type FileHandle, open } from 'node:fs/promises';
import { onTestFinished, vi } from 'vitest';

export interface HeldDatasync {
  /** Somebody waits for the disk. */
  readonly reached: Promise<void>;
  goOn(): void;
  fail(error: Error): void;
}

export async function holdDatasync(): Promise<HeldDatasync> {
  const handle = await open('/dev/null');
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  const { datasync } = prototype;
  const reached = Promise.withResolvers<void>();
  const outcome = Promise.withResolvers<void>();
  const spy = vi.spyOn(prototype, 'datasync').mockImplementationOnce(async function (this: FileHandle) {
    reached.resolve();
    await outcome.promise;
    await datasync.call(this);
  });
  onTestFinished(() => spy.mockRestore());
  return { reached: reached.promise, goOn: () => outcome.resolve(), fail: (error) => outcome.reject(error) };
}
