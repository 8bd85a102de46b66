export { defaultCacheFolder } from './cache-folder.ts';
export { GuestImageError, type GuestImageErrorCode } from './guest-image-error.ts';
export {
  buildGuestImage,
  ensureGuestImage,
  type GuestImageOptions,
  listGuestImages,
  loadGuestImage,
} from './image.ts';
export type { GuestImage } from './image-store.ts';
export { readyMarker } from './initramfs/init.ts';
export type { PackageIdentity } from './packages/package.ts';
