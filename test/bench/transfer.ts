/**
 * `pnpm bench transfer`: incompressible pages of a machine's RAM from process to process as a live migration moves
 * them - copied once, hashed, credited, applied into fresh RAM, hashed there - against raw TCP between the same
 * processes, turn and turn about, encrypted and not; and how heartbeats fare meanwhile.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CertificateAuthority } from '@skein/transport/authority';
import { writeCredentials } from '@skein/transport/certificates';
import { bundleBenchWorker } from './bundle-worker.ts';
import { ownChild } from './children.ts';
import type { Bench } from './main.ts';
import { median, percentile } from './statistics.ts';
import type { PeerCommand, PeerReply, PeerRole, SentReply, TransferKind } from './transfer-channel.ts';

const extent = { full: { memoryMib: 512, pairs: 9 }, quick: { memoryMib: 256, pairs: 3 } } as const;
const kinds: readonly TransferKind[] = ['raw-tcp', 'pages', 'pages-plain'];
const answerDeadlineMs = 60_000;

export const benchTransfer: Bench = async ({ quick, say }) => {
  const { memoryMib, pairs } = quick ? extent.quick : extent.full;
  const worker = await bundleBenchWorker('transfer.worker');
  const credentialsFolder = await makeCredentials();
  const source = await PeerProcess.start('source', worker, credentialsFolder);
  const target = await PeerProcess.start('target', worker, credentialsFolder);
  const { port } = await target.ask({ type: 'serve-heartbeats' }, 'listening');
  await source.ask({ type: 'dial-heartbeats', port }, 'ready');
  await source.ask({ type: 'fill-memory', memoryMib }, 'ready');
  say(`${memoryMib} MiB of random pages, ${pairs} rounds`);

  const rates: Record<TransferKind, number[]> = { pages: [], 'pages-plain': [], 'raw-tcp': [] };
  const heartbeatsMs: number[] = [];
  for (let pair = 1; pair <= pairs; pair++) {
    // Whoever goes first finds the caches as others left them: turn and turn about.
    const order = pair % 2 === 1 ? kinds : kinds.toReversed();
    for (const kind of order) {
      const { sent, received } = await transfer(source, target, kind, memoryMib);
      const mbPerS = sent.wireBytes / sent.durationMs / 1000;
      rates[kind].push(mbPerS);
      if (kind === 'pages') heartbeatsMs.push(...sent.heartbeatsMs);
      say(`${pair}/${pairs} ${kind.padEnd(11)} ${mbPerS.toFixed(0)} MB/s, ${describeCosts(sent, received)}`);
    }
  }
  rmSync(credentialsFolder, { recursive: true, force: true });
  const ofRawTcp = (kind: TransferKind): number =>
    Number(median(rates[kind].map((rate, pair) => rate / (rates['raw-tcp'][pair] ?? Number.NaN))).toFixed(3));
  return {
    ofRawTcp: ofRawTcp('pages-plain'),
    mbPerS: Number(median(rates['pages-plain']).toFixed(0)),
    encryptedOfRawTcp: ofRawTcp('pages'),
    encryptedMbPerS: Number(median(rates.pages).toFixed(0)),
    heartbeatP99Ms: Number(percentile(heartbeatsMs, 0.99).toFixed(2)),
  };
};

/** Both ends of a migration are agents of one cluster. */
async function makeCredentials(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'skein-bench-'));
  const validity = { nowMs: Date.now(), lifeMs: 3_600_000 };
  const authority = await CertificateAuthority.open(join(folder, 'authority'), 'bench', validity.nowMs);
  for (const name of ['source', 'target'] as const) {
    await writeCredentials(
      join(folder, name),
      await authority.ownCredentials({ kind: 'agent', name }, validity),
    );
  }
  return folder;
}

async function transfer(
  source: PeerProcess,
  target: PeerProcess,
  kind: TransferKind,
  memoryMib: number,
): Promise<{ sent: SentReply; received: ReplyOfType<'received'> }> {
  const { port } = await source.ask({ type: 'serve-transfer', kind, memoryMib }, 'listening');
  await target.ask({ type: 'dial-transfer', kind, memoryMib, port }, 'ready');
  const sent = await source.ask({ type: 'send' }, 'sent');
  const received = await target.ask({ type: 'conclude' }, 'received');
  if (received.memoryHash !== sent.memoryHash) {
    throw new Error(`the target's RAM hashes to ${received.memoryHash}, the source's to ${sent.memoryHash}`);
  }
  return { sent, received };
}

function describeCosts(sent: SentReply, received: ReplyOfType<'received'>): string {
  const perGb = ({ cpuSeconds }: { cpuSeconds: number }): string =>
    ((cpuSeconds / sent.wireBytes) * 1e9).toFixed(2);
  const slowest = percentile(sent.heartbeatsMs, 1).toFixed(1);
  return `CPU ${perGb(sent)} + ${perGb(received)} s/GB, slowest heartbeat ${slowest} ms`;
}

type ReplyOfType<T extends PeerReply['type']> = Extract<PeerReply, { type: T }>;

class PeerProcess {
  readonly #child: ChildProcess;
  readonly #role: PeerRole;

  private constructor(role: PeerRole, worker: URL, credentialsFolder: string) {
    this.#role = role;
    this.#child = fork(new URL('./transfer-peer.ts', import.meta.url), [worker.href, credentialsFolder], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    ownChild(this.#child);
  }

  static async start(role: PeerRole, worker: URL, credentialsFolder: string): Promise<PeerProcess> {
    const peer = new PeerProcess(role, worker, credentialsFolder);
    await peer.#next('ready');
    return peer;
  }

  ask<T extends PeerReply['type']>(command: PeerCommand, expected: T): Promise<ReplyOfType<T>> {
    this.#child.send(command);
    return this.#next(expected);
  }

  #next<T extends PeerReply['type']>(expected: T): Promise<ReplyOfType<T>> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        this.#child.off('message', hear).off('exit', end);
        act();
      };
      const fail = (what: string): void => settle(() => reject(new Error(`the ${this.#role} ${what}`)));
      const hear = (reply: unknown): void => {
        const { type } = reply as PeerReply;
        if (type === expected) settle(() => resolve(reply as ReplyOfType<T>));
        else fail(`said ${type} instead of ${expected}`);
      };
      const end = (): void => fail(`ended before it said ${expected}`);
      const timer = setTimeout(() => fail(`did not say ${expected} in time`), answerDeadlineMs);
      this.#child.on('message', hear).once('exit', end);
    });
  }
}
