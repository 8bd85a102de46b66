/** What `docker compose up` needs of Docker: engine, plugins, limits, the base image. */
import { z } from 'zod';
import { type CommandOutput, commandDeadlineMs, firstLine, outputOf } from './command-output.ts';
import { type Finding, good, missing, warning } from './finding.ts';
import { isOlder, parseVersion } from './version.ts';

const containers = ['containers'] as const;
/** The oldest that the container tests ran with. */
const engineMin = [20, 10];
/** Docker's release notes of compose 2.20: the first with `include`. */
const composeMin = [2, 20];
const baseImageDefault = 'node:24-bookworm-slim';
const installAdvice =
  'install Docker with its compose plugin; on a bare Debian 12: sudo compose/install-engine.sh';

/** What `docker info` says of the kernel's limits, as far as our compose file sets them. */
const EngineInfo = z.object({
  MemoryLimit: z.boolean(),
  PidsLimit: z.boolean(),
  CgroupVersion: z.string().optional(),
});

export async function checkDocker(): Promise<readonly Finding[]> {
  const client = await outputOf('docker', '--version');
  if (client.kind === 'absent') return [missing('docker', containers, 'no docker command', installAdvice)];
  const [engine, compose, buildx] = await Promise.all([checkEngine(), checkCompose(), checkBuildx()]);
  if (engine.verdict === 'missing') return [engine, compose, buildx];
  return [engine, compose, buildx, ...(await Promise.all([checkLimits(), checkBaseImage()]))];
}

async function checkEngine(): Promise<Finding> {
  const name = 'docker engine';
  const output = await outputOf('docker', 'version', '--format', '{{.Server.Version}}');
  if (output.kind !== 'printed') return missing(name, containers, saidOf(output), engineAdvice(output));
  const found = output.text.trim();
  const version = parseVersion(found);
  if (version === null || !isOlder(version, engineMin)) return good(name, containers, found);
  return missing(name, containers, found, `update it: ${engineMin.join('.')} or newer is needed`);
}

function engineAdvice(output: CommandOutput): string {
  if (output.kind === 'silent') return 'it hangs; restart it: sudo systemctl restart docker';
  if (output.kind === 'failed' && /permission denied/i.test(output.words))
    return 'run as root, or let an administrator add you to the group docker';
  return 'start it: sudo systemctl start docker (or dockerd); DOCKER_HOST may name another one';
}

async function checkCompose(): Promise<Finding> {
  const name = 'docker compose';
  const output = await outputOf('docker', 'compose', 'version', '--short');
  if (output.kind !== 'printed')
    return missing(name, containers, 'the docker command has no compose plugin', installAdvice);
  const found = output.text.trim();
  const version = parseVersion(found);
  if (version === null || !isOlder(version, composeMin)) return good(name, containers, found);
  return missing(name, containers, found, `update it: ${composeMin.join('.')} or newer is needed`);
}

async function checkBuildx(): Promise<Finding> {
  const name = 'docker buildx';
  const output = await outputOf('docker', 'buildx', 'version');
  if (output.kind === 'printed') return good(name, containers, firstLine(output.text));
  const advice = `the Dockerfile needs BuildKit; ${installAdvice}`;
  return missing(name, containers, 'the docker command has no buildx plugin', advice);
}

async function checkLimits(): Promise<Finding> {
  const name = 'container limits';
  const output = await outputOf('docker', 'info', '--format', '{{json .}}');
  if (output.kind !== 'printed')
    return warning(name, containers, saidOf(output), 'see what docker info says');
  const info = EngineInfo.safeParse(parseJson(output.text));
  if (!info.success) return warning(name, containers, 'docker info says nothing of them', 'update Docker');
  const { MemoryLimit, PidsLimit, CgroupVersion } = info.data;
  const absent = [...(MemoryLimit ? [] : ['memory']), ...(PidsLimit ? [] : ['pids'])];
  if (absent.length === 0)
    return good(name, containers, `memory and pids, by cgroup ${CgroupVersion ?? ''}`.trim());
  const advice = `enable these cgroup controllers in the kernel; without them the ${absent.join(' and ')} limits have no effect`;
  return warning(name, containers, `none of ${absent.join(', ')}`, advice);
}

async function checkBaseImage(): Promise<Finding> {
  const name = 'base image';
  const given = process.env.SKEIN_BASE_IMAGE ?? '';
  const image = given === '' ? baseImageDefault : given;
  const output = await outputOf('docker', 'image', 'inspect', '--format', '{{.Id}}', image);
  if (output.kind === 'printed') return good(name, containers, `${image} is here`);
  const advice =
    'docker fetches it from its registry; where none can be reached, make it: sudo compose/base-image.sh';
  return warning(name, containers, `${image} is not here yet`, advice);
}

function saidOf(output: CommandOutput): string {
  if (output.kind === 'failed') return output.words;
  return output.kind === 'silent' ? `it does not answer within ${commandDeadlineMs / 1000} s` : 'not there';
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
