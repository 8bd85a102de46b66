/** By which names people ask for a guest image, where any other is asked for by its digest. */

/**
 * - `debian`: an unmodified kernel of Debian's, with modules
 * - `small`: a kernel built here from Debian's source, with what a guest needs and no more
 */
export const guestImageNames = ['debian', 'small'] as const;
export type GuestImageName = (typeof guestImageNames)[number];

export function isGuestImageName(text: string): text is GuestImageName {
  return guestImageNames.some((name) => name === text);
}
