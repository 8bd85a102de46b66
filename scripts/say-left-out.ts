/** What `pnpm test` leaves out, why, and how to run it. */
import { tellDockerObstacles } from './docker-obstacles.ts';

console.log(
  '\nLeft out: the small kernel, which is compiled for minutes: npx --yes pnpm@12 test:small-kernel',
);
console.log('Left out: the container tests, for they take minutes.');
const canRun = (await tellDockerObstacles((line) => console.log(line))) === 0;
console.log(`${canRun ? 'Run them with' : 'Then run them with'}: npx --yes pnpm@12 test:compose`);
