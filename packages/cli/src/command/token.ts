/** `skein token create|list|revoke`: what lets a new host into a cluster. */
import { type CreateJoinTokenReply, JoinKind, type JoinTokenView } from '@skein/shared';
import { type Command, Option } from 'commander';
import { formatTime } from '../output/duration.ts';
import { formatList, formatOne, type Presentation } from '../output/format.ts';
import { lifeArgument } from './argument.ts';
import { clientOf, formatOf } from './shared-options.ts';

const tokenPresentation: Presentation<JoinTokenView> = {
  kind: 'token',
  nameOf: (token) => token.id,
  columns: [
    { header: 'ID', value: (token) => token.id },
    { header: 'KIND', value: (token) => token.kind },
    { header: 'CREATED', value: (token) => formatTime(token.createdAtMs) },
    { header: 'EXPIRES', value: (token) => formatTime(token.expiresAtMs) },
  ],
};

interface CreateOptions {
  readonly kind: JoinKind;
  readonly life: number;
}

export function addTokenCommand(program: Command): void {
  const token = program.command('token').description('what lets new hosts into the cluster');
  token
    .command('create')
    .description('make a join token and print it; it is shown this once')
    .addOption(new Option('--kind <KIND>', 'what may join by it').choices(JoinKind.options).default('agent'))
    .option('--life <TIME>', 'how long it holds, such as 30m or 24h', lifeArgument, 24 * 3600)
    .action(create);
  token.command('list').description('join tokens that hold; without their secrets').action(list);
  token
    .command('revoke <id>')
    .description('let nobody in by it any more; who has joined stays')
    .action(revoke);
}

async function create({ kind, life }: CreateOptions, command: Command): Promise<void> {
  const format = formatOf(command);
  const client = await clientOf(command);
  const made: CreateJoinTokenReply = await client.createToken({ kind, lifeS: life });
  if (format !== 'table' && format !== 'wide') {
    process.stdout.write(formatOne(tokenPresentation, made, format));
    return;
  }
  process.stderr.write(`join token ${made.id} for ${kind}s, until ${formatTime(made.expiresAtMs)}:\n`);
  process.stdout.write(`${made.token}\n`);
}

async function list(_options: unknown, command: Command): Promise<void> {
  const format = formatOf(command);
  const client = await clientOf(command);
  process.stdout.write(formatList(tokenPresentation, await client.tokens(), format));
}

async function revoke(id: string, _options: unknown, command: Command): Promise<void> {
  const format = formatOf(command);
  const client = await clientOf(command);
  process.stdout.write(formatOne(tokenPresentation, await client.revokeToken(id), format));
}
