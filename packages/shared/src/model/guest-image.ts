/** How a guest image is named: one is meant by a digest, the newest of its kind by a name. */
import { z } from 'zod';
import { ContentDigest } from '../ids.ts';

/** `debian`: with Debian's own kernel; `small`: with one compiled from Debian's source for what a guest needs. */
export const GuestImageName = z.enum(['debian', 'small']);
export type GuestImageName = z.infer<typeof GuestImageName>;

const message = `must be ${GuestImageName.options.join(' or ')}, or a SHA-256 in hexadecimal`;
export const ImageReference = z.union([ContentDigest, GuestImageName], message);
export type ImageReference = z.infer<typeof ImageReference>;
