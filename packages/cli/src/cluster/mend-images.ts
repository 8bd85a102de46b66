/** Before hosts start: a guest image that was damaged since an earlier run is made anew, or its VMs could not restart. */
import { ensureGuestImage, listGuestImages } from '@skein/guests';
import { imageProgress } from '../output/image-progress.ts';

/** Without any image yet it does nothing: the first `vm create` makes one. */
export async function mendDamagedImages(): Promise<void> {
  let isDamaged = false;
  await listGuestImages({
    onWarning: () => {
      isDamaged = true;
    },
  });
  if (!isDamaged) return;
  const progress = imageProgress();
  try {
    await ensureGuestImage(progress.options);
  } finally {
    progress.close();
  }
}
