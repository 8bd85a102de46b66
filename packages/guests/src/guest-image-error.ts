/** What can go wrong while a guest image is made or read, although no program is wrong. */

/**
 * - `image.not-found`: an image was asked for by a digest that is not in the cache
 * - `image.unavailable`: the packages could not be had, or the machine lacks a tool that is needed
 * - `image.corrupt`: a package, an archive or a cached file is not what it should be
 * - `image.toolchain-missing`: the machine cannot compile a kernel
 * - `image.build-failed`: a kernel was to be compiled, and could not
 * - `image.invalid`: an option or a lock file that cannot be right
 */
export type GuestImageErrorCode =
  | 'image.not-found'
  | 'image.unavailable'
  | 'image.corrupt'
  | 'image.toolchain-missing'
  | 'image.build-failed'
  | 'image.invalid';

export class GuestImageError extends Error {
  override readonly name = 'GuestImageError';
  readonly code: GuestImageErrorCode;

  constructor(code: GuestImageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
