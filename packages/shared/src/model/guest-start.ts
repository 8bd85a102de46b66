/** What a guest starts from: its kernel, or a template that was kept when the kernel had booted (architecture: Template). */
import { z } from 'zod';
import { ContentDigest } from '../ids.ts';
import { MemoryMib } from './vm.ts';

/** All that a template depends on beside the machine itself: guests that differ in nothing else share one. */
export const TemplateRecipe = z.strictObject({
  image: ContentDigest,
  memoryMib: MemoryMib,
  /** Those that are not about who the guest is. */
  kernelArguments: z.string().max(1024),
});
export type TemplateRecipe = z.infer<typeof TemplateRecipe>;

export interface SplitArguments {
  /** `skein.hostname=web1` and the like: for the guest's init. */
  readonly identity: readonly string[];
  readonly kernel: string;
}

/** Words of ours tell a guest who it is, and may come when its kernel has booted; all others are the kernel's. */
export function splitBootArguments(bootArguments: string): SplitArguments {
  const words = bootArguments.split(' ').filter((word) => word !== '');
  return {
    identity: words.filter(isIdentity),
    kernel: words.filter((word) => !isIdentity(word)).join(' '),
  };
}

function isIdentity(word: string): boolean {
  return word.startsWith('skein.');
}
