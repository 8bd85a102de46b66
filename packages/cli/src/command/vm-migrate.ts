/** `skein vm migrate`: moves a running VM; its rounds are shown as they end. */
import type { Command } from 'commander';
import { nameArgument } from './argument.ts';
import { addSettingOptions, givenSettings, type SettingOptions } from './migration-options.ts';
import { clientOf } from './shared-options.ts';
import { finishChange, fullVmName, hostOf } from './vm-change.ts';

interface MigrateOptions extends SettingOptions {
  readonly to?: string;
  readonly wait: boolean;
}

export function addMigrateCommand(vm: Command): void {
  const migrate = vm
    .command('migrate <name>')
    .description('move a running VM to another host; it does not notice')
    .option('--to <HOST>', 'to this host (default: the least loaded other one that fits)', nameArgument);
  addSettingOptions(migrate)
    .option('--no-wait', 'print the operation and do not wait for it')
    .action(async (name: string, options: MigrateOptions, command: Command) => {
      const client = await clientOf(command);
      const request = { ...givenSettings(options), ...hostOf(options.to) };
      const reply = await client.migrateVm(await fullVmName(client, name), request);
      await finishChange(client, reply, options, command);
    });
}
