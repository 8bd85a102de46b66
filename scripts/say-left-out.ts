/** What `pnpm test` leaves out, why, and how to run it. */
import { tellDockerObstacles } from './docker-obstacles.ts';

console.log('\nLeft out: the container tests, for they take minutes.');
const canRun = (await tellDockerObstacles((line) => console.log(line))) === 0;
console.log(`${canRun ? 'Run them with' : 'Then run them with'}: npx --yes pnpm@12 test:compose`);
