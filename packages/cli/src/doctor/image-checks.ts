/** The guest image, and what it is made with. Containers make it in their own build. */
import { listGuestImages } from '@skein/guests';
import { firstLine, outputOf } from './command-output.ts';
import { type Finding, good, missing, warning } from './finding.ts';

const ofProcesses = ['processes', 'namespaces'] as const;

export async function checkImage(): Promise<Finding> {
  const warnings: string[] = [];
  const images = await listGuestImages({ onWarning: (message) => warnings.push(message) });
  const [first] = images;
  if (warnings.length > 0)
    return warning('guest image', ofProcesses, warnings.join('; '), 'run: skein image build');
  if (first !== undefined) {
    const found = `${images.length} in the cache, kernel ${first.kernelVersion}`;
    return good('guest image', ofProcesses, found);
  }
  const advice = 'it is made when it is needed, or now by: skein image build';
  return warning('guest image', ofProcesses, 'none yet', advice);
}

export async function checkImageTools(): Promise<readonly Finding[]> {
  return await Promise.all([
    checkTool('apt-get', warning, 'it fetches the packages of the guest image'),
    checkTool('dpkg-deb', missing, 'it unpacks the packages of the guest image'),
  ]);
}

async function checkTool(program: string, verdict: typeof missing, purpose: string): Promise<Finding> {
  const output = await outputOf(program, '--version');
  if (output.kind === 'printed') return good(program, ofProcesses, firstLine(output.text));
  const advice = `${purpose}; without it, bring .deb files and name their folder in SKEIN_PACKAGE_CACHE`;
  return verdict(program, ofProcesses, output.kind === 'absent' ? 'not there' : 'does not run', advice);
}
