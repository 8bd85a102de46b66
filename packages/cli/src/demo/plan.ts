/** Who does what in the demo. Guests are on different hosts at first, so that every ping crosses the guest network. */

export interface GuestPlan {
  readonly name: string;
  readonly host: string;
  readonly address: string;
}

const prefixLength = 24;

/** Moved while it counts; its migration leaves its old host empty, which then has room for the one that is lost. */
export const counting: GuestPlan = { name: 'g2', host: 'h2', address: '10.77.0.12' };
/** Pings the counting one during the migration; then its host is killed. */
export const doomed: GuestPlan = { name: 'g3', host: 'h3', address: '10.77.0.13' };
/** Pings the doomed one until it answers again. */
export const watching: GuestPlan = { name: 'g1', host: 'h1', address: '10.77.0.11' };

export const guests: readonly GuestPlan[] = [watching, counting, doomed];
export const hosts = 3;
/** From the counting guest's host to the watching one's: the pinging one is remote before and after. */
export const migrationTarget = watching.host;
export const guestMemoryMib = 128;

export function interfaceOf(guest: GuestPlan): string {
  return `${guest.address}/${prefixLength}`;
}
