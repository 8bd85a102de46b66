import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { WhenQuiet } from './when-quiet.ts';

it('acts once for all that stirred, when a turn has passed without', async () => {
  let acts = 0;
  const quiet = new WhenQuiet(() => {
    acts += 1;
  });
  for (let turns = 0; turns < 20; turns++) {
    quiet.stir();
    quiet.stir();
    await turn();
    expect(acts).toBe(0);
  }
  await turn();
  await turn();
  expect(acts).toBe(1);
  await turn();
  expect(acts).toBe(1);
});

it('acts again for what stirs later', async () => {
  let acts = 0;
  const quiet = new WhenQuiet(() => {
    acts += 1;
  });
  for (let times = 1; times <= 3; times++) {
    quiet.stir();
    for (let turns = 0; turns < 3; turns++) await turn();
    expect(acts).toBe(times);
  }
});
