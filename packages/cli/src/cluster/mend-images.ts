/** Before hosts start: a guest image that was damaged since an earlier run is made anew, or its VMs could not restart. */
import {
  ensureGuestImage,
  findGuestImage,
  GuestImageError,
  type GuestImageName,
  listGuestImages,
} from '@skein/guests';
import { makeImage } from '../command/guest-image.ts';

/** Without any image yet it does nothing: the first `vm create` makes one. */
export async function mendDamagedImages(): Promise<void> {
  let areSound = true;
  await listGuestImages({
    onWarning: () => {
      areSound = false;
    },
  });
  if (areSound) return;
  await makeImage(ensureGuestImage, {});
  // Nobody waits for a compilation who has never asked for one.
  if (await isDamaged('small')) await makeImage(ensureGuestImage, { name: 'small' });
}

async function isDamaged(name: GuestImageName): Promise<boolean> {
  try {
    await findGuestImage({ name });
    return false;
  } catch (cause) {
    if (cause instanceof GuestImageError && cause.code === 'image.corrupt') return true;
    throw cause;
  }
}
