/** Before the container tests: without Docker each of them would fail in words of its own. */
import { tellDockerObstacles } from './docker-obstacles.ts';

if ((await tellDockerObstacles((line) => console.error(line))) > 0) process.exitCode = 1;
