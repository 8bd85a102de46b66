/** A lease service in this process, on real sockets and a directory of its own, and clients of it. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { timingDefaults, type VmId } from '@skein/shared';
import type { Authentication, CloseReason } from '@skein/transport';
import { afterEach } from 'vitest';
import { LeaseClient, type LeaseClientOptions } from './client.ts';
import { LeaseService, type LeaseServiceOptions } from './service.ts';

export const token: Authentication = { kind: 'token', token: new Uint8Array(randomBytes(32)) };
export const freshBoot = (): string => randomBytes(16).toString('hex');
export const freshVm = (): VmId => `vm-${randomBytes(8).toString('hex')}`;

const cleanups: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

export function onEnd(cleanup: () => Promise<unknown> | unknown): void {
  cleanups.push(cleanup);
}

export async function stateDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'skein-lease-'));
  onEnd(() => rm(directory, { recursive: true }));
  return directory;
}

export async function serving(directory: string, more: Partial<LeaseServiceOptions> = {}) {
  const rejected: CloseReason[] = [];
  const service = await LeaseService.start({
    stateDirectory: directory,
    address: '127.0.0.1',
    port: 0,
    bootId: freshBoot(),
    authentication: token,
    timing: timingDefaults,
    nowNs: process.hrtime.bigint,
    onFatal: (error) => {
      throw error;
    },
    onRejected: (reason) => rejected.push(reason),
    ...more,
  });
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (isOpen) await service.close();
    isOpen = false;
  };
  onEnd(close);
  return { service, rejected, close };
}

/** A client that is connected. */
export async function client(
  port: number,
  name: string,
  more: Partial<LeaseClientOptions> & { readonly role?: string; readonly bootId?: string } = {},
): Promise<LeaseClient> {
  const { role = 'agent', bootId = freshBoot(), ...options } = more;
  return await new Promise<LeaseClient>((resolve, reject) => {
    const made = new LeaseClient({
      host: '127.0.0.1',
      port,
      localAddress: '127.0.0.1',
      own: { role, name, bootId },
      authentication: token,
      timing: timingDefaults,
      requestDeadlineMs: 10_000,
      onUp: () => setImmediate(() => resolve(made)),
      onDown: ({ code, message }) => reject(new Error(`${code}: ${message}`)),
      ...options,
    });
    onEnd(() => made.close());
  });
}

export async function codeOf(outcome: Promise<unknown>): Promise<string> {
  return await outcome.then(
    () => 'granted',
    (error: { code?: string }) => error.code ?? String(error),
  );
}
