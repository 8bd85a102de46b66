/** What became of a host's networks between two looks at its interfaces. */
import { type HostAddresses, type NetworkKind, networkKinds } from '@skein/shared';

export interface AddressChange {
  readonly network: NetworkKind;
  /** Null: the host was not connected to it. */
  readonly from: string | null;
  /** Null: its link is down, or it was disconnected. */
  readonly to: string | null;
}

export function addressChanges(before: HostAddresses, after: HostAddresses): AddressChange[] {
  return networkKinds.flatMap((network) => {
    const from = before[network] ?? null;
    const to = after[network] ?? null;
    return from === to ? [] : [{ network, from, to }];
  });
}
