/**
 * How programs become members of this cluster, put together: the certificate authority, the coordinator's own
 * credentials, tokens and their files, and the server that newcomers come to.
 */
import { join } from 'node:path';
import type { CoordinatorConfig } from '@skein/shared';
import type { Authentication } from '@skein/transport';
import { CertificateAuthority } from '@skein/transport/authority';
import { writeCredentials } from '@skein/transport/certificates';
import type { Logger } from 'pino';
import type { World } from '../world.ts';
import { Certifier } from './certifier.ts';
import { serveJoining } from './join-server.ts';
import { JoinTokens } from './join-tokens.ts';
import { type JoinTokenFile, keepTokenFiles } from './token-files.ts';

export interface Joining {
  /** How the coordinator proves itself on its own links. */
  readonly authentication: Authentication;
  readonly tokens: JoinTokens;
  readonly port: number;
  close(): Promise<void>;
}

const hourMs = 3_600_000;

/** @throws OperationError config.unreadable, config.invalid, address.in-use, address.unavailable */
export async function openJoining(
  config: CoordinatorConfig,
  { world, address, log, wallMs }: { world: World; address: string; log: Logger; wallMs: () => number },
): Promise<Joining> {
  const authority = await CertificateAuthority.open(
    join(config.stateDirectory, 'authority'),
    config.cluster,
    wallMs(),
  );
  const directory = join(config.stateDirectory, 'credentials');
  const lifeMs = config.certificateLifeHours * hourMs;
  const certifyOurselves = async (): Promise<void> => {
    const subject = { kind: 'coordinator', name: 'coordinator' } as const;
    await writeCredentials(directory, await authority.ownCredentials(subject, { nowMs: wallMs(), lifeMs }));
  };
  await certifyOurselves();
  const tokens = new JoinTokens(world, authority.hash, wallMs);
  const certifier = new Certifier({ authority, tokens, world, wallMs, lifeMs });
  const server = await serveJoining({ address, port: config.joinPort, directory, certifier, log });
  const onFailed = (error: Error): void => log.error({ err: error }, 'credentials cannot be renewed');
  const timer = setInterval(
    () =>
      void certifyOurselves()
        .then(() => server.renewed())
        .catch(onFailed),
    Math.min(lifeMs / 3, 2 ** 31 - 1),
  );
  timer.unref();
  const stopFiles = await keepTokenFiles(filesOf(config), tokens, wallMs, onFailed);
  return {
    authentication: { kind: 'certificate', directory },
    tokens,
    port: server.port,
    close: async () => {
      clearInterval(timer);
      stopFiles();
      await server.close();
    },
  };
}

function filesOf({ joinTokenFiles }: CoordinatorConfig): JoinTokenFile[] {
  return (['agent', 'storage'] as const).flatMap((kind) => {
    const path = joinTokenFiles[kind];
    return path === undefined ? [] : [{ kind, path }];
  });
}
