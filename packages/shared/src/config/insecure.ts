import { z } from 'zod';

/** No certificates and no encryption between the programs of a cluster: on loopback addresses only, and for all of them. */
export const Insecure = z.boolean().default(false);
