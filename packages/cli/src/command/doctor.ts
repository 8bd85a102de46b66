/** `skein doctor`: whether this machine has what Skein needs, and what to do where it has not. */
import { type Command, InvalidArgumentError } from 'commander';
import { checkMachine } from '../doctor/checks.ts';
import { type BedName, beds, type Finding, obstaclesOf } from '../doctor/finding.ts';
import { formatFindings, summaries } from '../doctor/report.ts';
import { formatList, type Presentation } from '../output/format.ts';
import { finishWith } from './outcome.ts';
import { formatOf, stateFolderOf } from './shared-options.ts';

const findingPresentation: Presentation<Finding> = {
  kind: 'check',
  nameOf: (finding) => finding.name,
  columns: [
    { header: 'VERDICT', value: (finding) => finding.verdict },
    {
      header: 'FOR',
      value: (finding) => (finding.for.length === beds.length ? 'all' : finding.for.join(',')),
    },
    { header: 'CHECK', value: (finding) => finding.name },
    { header: 'FOUND', value: (finding) => finding.found },
    { header: 'WHAT TO DO', value: (finding) => finding.advice },
  ],
};

export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('check what this machine has, and say what to do where something is missing')
    .option('--for <BED>', `only what a cluster on ${beds.join(', ')} needs`, bedArgument)
    .addHelpText(
      'after',
      '\nExit code 1 when what --for needs is missing; without it, when not even `skein up` would work.',
    )
    .action(doctor);
}

async function doctor(options: { readonly for?: BedName }, command: Command): Promise<void> {
  const format = formatOf(command);
  const all = await checkMachine(stateFolderOf(command));
  const bed = options.for;
  const findings = bed === undefined ? all : all.filter((finding) => finding.for.includes(bed));
  const isForPeople = format === 'table';
  process.stdout.write(
    isForPeople ? formatFindings(findings) : formatList(findingPresentation, findings, format),
  );
  if (isForPeople || format === 'wide') process.stderr.write(summaries(all, bed));
  // A machine without Docker is a good one for plain processes.
  if (obstaclesOf(bed ?? 'processes', all).length > 0) finishWith(1);
}

function bedArgument(text: string): BedName {
  const found = beds.find((bed) => bed === text);
  if (found !== undefined) return found;
  throw new InvalidArgumentError(`It must be one of ${beds.join(', ')}.`);
}
