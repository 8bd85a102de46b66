/** What stands in the way of the container tests on this machine, as `skein doctor` finds it. */
import { checkDocker } from '../packages/cli/src/doctor/docker-checks.ts';

/** Tells each with what to do; answers how many there are. */
export async function tellDockerObstacles(tell: (line: string) => void): Promise<number> {
  const obstacles = (await checkDocker()).filter(({ verdict }) => verdict === 'missing');
  if (obstacles.length > 0) tell('They need Docker, and here it is not as they need it:');
  for (const { name, found, advice } of obstacles) tell(`  ${name}: ${found}\n    -> ${advice}`);
  return obstacles.length;
}
