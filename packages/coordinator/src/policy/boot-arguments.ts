/** What a guest is told of itself on its kernel's command line; the guest image's init reads it. */
import type { NicSpec } from '@skein/shared';

export interface GuestIdentity {
  readonly name: string;
  readonly nics: readonly Pick<NicSpec, 'address'>[];
  /** What the person added. */
  readonly extra: string;
}

/** `skein.ip` is the first interface's; init knows one. Further ones are named: `skein.ip.eth1`. */
export function bootArguments({ name, nics, extra }: GuestIdentity): string {
  const words = [`skein.hostname=${name}`];
  nics.forEach(({ address }, index) => {
    if (address === undefined) return;
    words.push(index === 0 ? `skein.ip=${address}` : `skein.ip.eth${index}=${address}`);
  });
  const added = extra.trim();
  if (added.length > 0) words.push(added);
  return words.join(' ');
}
