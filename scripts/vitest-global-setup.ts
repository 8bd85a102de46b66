import { ensureCore } from './ensure-core.ts';

export default async function setup(): Promise<void> {
  await ensureCore({ quiet: true });
}
