/** `skein doctor`: whether this machine has what Skein needs, and what to do where it has not. */
import type { Command } from 'commander';
import { checkMachine, type Finding } from '../doctor/checks.ts';
import { formatList, type Presentation } from '../output/format.ts';
import { finishWith } from './outcome.ts';
import { formatOf, stateFolderOf } from './shared-options.ts';

const findingPresentation: Presentation<Finding> = {
  kind: 'check',
  nameOf: (finding) => finding.name,
  columns: [
    { header: 'VERDICT', value: (finding) => finding.verdict },
    { header: 'CHECK', value: (finding) => finding.name },
    { header: 'FOUND', value: (finding) => finding.found },
    { header: 'WHAT TO DO', value: (finding) => finding.advice },
  ],
};

export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('check what this machine has; exit code 1 when something needed is missing')
    .action(async (_options: unknown, command: Command) => {
      const format = formatOf(command);
      const findings = await checkMachine(stateFolderOf(command));
      process.stdout.write(formatList(findingPresentation, findings, format));
      if (findings.some(({ verdict }) => verdict === 'missing')) finishWith(1);
    });
}
