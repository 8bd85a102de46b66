/** The guest image that a command line means, made if need be, with its progress; an interruption ends the making. */
import {
  ensureGuestImage,
  type GuestImage,
  type GuestImageOptions,
  guestImageNames,
  isGuestImageName,
  loadGuestImage,
} from '@skein/guests';
import { Interrupted } from '../failure.ts';
import { imageProgress } from '../output/image-progress.ts';

/** What `--image` takes, for its help. */
export const imageArgument = `<${guestImageNames.join('|')}|DIGEST>`;

/**
 * A name's image is made if the cache lacks it, one that is named by its digest must be there; without either it is Debian's.
 * @throws GuestImageError
 */
export async function findImage(reference: string | undefined): Promise<GuestImage> {
  if (reference !== undefined && !isGuestImageName(reference)) return await loadGuestImage(reference);
  return await makeImage(ensureGuestImage, reference === undefined ? {} : { name: reference });
}

/** @throws GuestImageError, Interrupted */
export async function makeImage(
  make: (options: GuestImageOptions) => Promise<GuestImage>,
  options: GuestImageOptions,
): Promise<GuestImage> {
  const progress = imageProgress();
  const abort = new AbortController();
  const onSignal = (): void =>
    abort.abort(new Interrupted('interrupted; what was compiled so far is removed'));
  // Only a compilation looks at the signal; whatever else makes an image ends with this process, as ever.
  const isCompiled = options.name === 'small';
  if (isCompiled) process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    return await make({ ...progress.options, ...options, ...(isCompiled && { signal: abort.signal }) });
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    progress.close();
  }
}
