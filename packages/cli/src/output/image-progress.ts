/** Progress of making a guest image, as `@skein/guests` reports it. */
import type { GuestImageOptions } from '@skein/guests';
import { StatusLine } from './status-line.ts';

const bytesPerMib = 1 << 20;

export function imageProgress(): {
  readonly options: Required<Pick<GuestImageOptions, 'onProgress' | 'onWarning'>>;
  close(): void;
} {
  const line = new StatusLine();
  return {
    options: {
      onProgress: (phase, done, total, unit) =>
        line.show(`guest image: ${phase}`, unit === 'files' ? fileFigures(done) : byteFigures(done, total)),
      onWarning: (message) => line.say(`skein: ${message}`),
    },
    close: () => line.clear(),
  };
}

/** How many there will be depends on the configuration; that the number grows is what people want to see. */
function fileFigures(files: number): string {
  return files === 0 ? '' : `${files} files`;
}

function byteFigures(bytes: number, bytesTotal: number): string {
  if (bytesTotal === 0) return '';
  const mib = (count: number): string => (count / bytesPerMib).toFixed(0);
  return `${mib(bytes)} of ${mib(bytesTotal)} MiB (${Math.floor((bytes / bytesTotal) * 100)} %)`;
}
