/** Joining as newcomers do it: over TLS, with tokens, at a coordinator that runs in this process. */
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CoordinatorConfig } from '@skein/shared';
import {
  becomeMember,
  factsOf,
  formatJoinToken,
  joinWithToken,
  parseJoinToken,
  readCredentials,
  renewCertificate,
} from '@skein/transport/certificates';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Store } from '../store/store.ts';
import { quickTiming } from '../testing/test-cluster.ts';
import { World } from '../world.ts';
import { type Joining, openJoining } from './joining.ts';

let folder = '';
let store: Store;
let world: World;
let joining: Joining;
let wallMs = 0;
let at: { address: string; port: number };
const h1 = { kind: 'agent', name: 'h1' } as const;

const path = (name: string): string => join(folder, name);

async function open(joinPort = 0): Promise<void> {
  store = Store.open(path('state'));
  world = new World({
    store,
    segments: [],
    timing: quickTiming,
    nowMs: () => performance.now(),
    wallMs: () => wallMs,
  });
  const config = {
    cluster: 'test',
    stateDirectory: path('state'),
    joinPort,
    joinTokenFiles: { agent: path('agent.token'), storage: path('storage.token') },
    certificateLifeHours: 1,
  } as unknown as CoordinatorConfig;
  const log = pino({ level: 'silent' });
  joining = await openJoining(config, { world, address: '127.0.0.1', log, wallMs: () => wallMs });
  at = { address: '127.0.0.1', port: joining.port };
}

async function close(): Promise<void> {
  await joining.close();
  store.close();
}

beforeEach(async () => {
  wallMs = Date.now();
  folder = await mkdtemp(join(tmpdir(), 'skein-joining-'));
  await open();
});
afterEach(async () => {
  await close();
  await rm(folder, { recursive: true, force: true });
});

const create = (kind: 'agent' | 'storage' = 'agent', lifeS = 60) =>
  parseJoinToken(joining.tokens.create({ kind, lifeS }).token);

/** A request as a stranger may send it. */
function post(route: string, body: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: at.address,
        port: at.port,
        path: route,
        method: 'POST',
        rejectUnauthorized: false,
        agent: false,
      },
      (response) => {
        let text = '';
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.once('end', () => resolve({ status: response.statusCode ?? 0, text }));
      },
    );
    sent.once('error', reject);
    sent.end(body);
  });
}

describe('a join token', () => {
  it('gets its holder a certificate under the name it asked for, valid for an hour here', async () => {
    const { certificate, key, authority } = await joinWithToken(at, create(), h1);
    const { subject, notAfterMs } = factsOf(certificate);
    expect(subject).toEqual(h1);
    expect(Math.abs(notAfterMs - wallMs - 3_600_000)).toBeLessThan(2000);
    expect(key).toContain('PRIVATE KEY');
    expect(factsOf(authority).subject).toBeNull();
    expect(store.events.after(0, 100).map(({ type }) => type)).toContain('token.used');
  });

  it('is refused with another secret, when it was revoked, and when it is over', async () => {
    const refused = { code: 'join.refused' };
    const token = create();
    await expect(joinWithToken(at, { ...token, secret: create().secret }, h1)).rejects.toMatchObject(refused);
    joining.tokens.revoke(token.id);
    await expect(joinWithToken(at, token, h1)).rejects.toMatchObject(refused);
    const short = create('agent', 10);
    wallMs += 11_000;
    await expect(joinWithToken(at, short, h1)).rejects.toMatchObject(refused);
  });

  it('does not let its holder send its secret to another cluster', async () => {
    const token = create();
    const first = { folder, store, world, joining, at };
    folder = await mkdtemp(join(tmpdir(), 'skein-joining-'));
    await open();
    await expect(joinWithToken(at, token, h1)).rejects.toMatchObject({ code: 'link.unauthenticated' });
    await close();
    await rm(folder, { recursive: true, force: true });
    ({ folder, store, world, joining, at } = first);
  });

  it('lets in as what it is for: nobody becomes the storage service by an agent’s token', async () => {
    const credentials = await joinWithToken(at, create('storage'), { kind: 'storage', name: 'storage' });
    expect(factsOf(credentials.certificate).subject).toEqual({ kind: 'storage', name: 'storage' });
    const asStorage = joinWithToken(at, create('agent'), { kind: 'storage', name: 'storage' });
    await expect(asStorage).rejects.toMatchObject({ code: 'join.refused' });
    const other = joinWithToken(at, create('storage'), { kind: 'storage', name: 'other' });
    await expect(other).rejects.toMatchObject({ code: 'join.refused' });
  });

  it('leaves no secret in the inventory, only its hash', async () => {
    const token = create();
    const bytes = [path('state/inventory.sqlite'), path('state/inventory.sqlite-wal')];
    const stored = (await Promise.all(bytes.map((file) => readFile(file)))).map((one) =>
      one.toString('latin1'),
    );
    expect(stored.join('')).toContain(token.id);
    expect(stored.join('')).not.toContain(token.secret);
    expect(JSON.stringify(joining.tokens.list())).not.toContain(token.secret);
  });
});

describe('joining', () => {
  it('refuses what is no request of ours, without words about why it might have been right', async () => {
    expect(await post('/v1/join', 'not json')).toMatchObject({ status: 400 });
    expect(await post('/v1/join', '{"tokenId":"0000000000"}')).toMatchObject({ status: 400 });
    expect(await post('/v1/renew', '{}')).toMatchObject({ status: 409 });
    expect(await post('/v1/vms', '{}')).toMatchObject({ status: 404 });
    expect((await post('/v1/join', 'x'.repeat(70_000))).status).toBe(413);
  });

  it('refuses a key whose holder did not sign the request', async () => {
    const { id, secret } = create();
    const { certificate } = await joinWithToken(at, create(), h1);
    const body = { tokenId: id, secret, name: 'h2', publicKey: certificate, possession: 'AAAA' };
    const { status, text } = await post('/v1/join', JSON.stringify(body));
    expect({ status, code: JSON.parse(text).code }).toEqual({ status: 409, code: 'join.refused' });
  });

  it('renews a certificate for its holder, under the same name with another key', async () => {
    const first = await joinWithToken(at, create(), h1);
    const second = await renewCertificate(at, first, h1);
    expect(factsOf(second.certificate).subject).toEqual(h1);
    expect(second.key).not.toBe(first.key);
    await expect(renewCertificate(at, first, { kind: 'agent', name: 'h2' })).rejects.toMatchObject({
      code: 'join.refused',
    });
  });

  it('knows tokens and its own authority again after a restart', async () => {
    const token = create();
    const { authority } = await joinWithToken(at, token, h1);
    await close();
    await open();
    expect((await joinWithToken(at, token, h1)).authority).toBe(authority);
    expect((await stat(path('state/authority/credentials.json'))).mode & 0o777).toBe(0o600);
  });

  it('puts tokens into files for its own programs, and replaces those that it does not know', async () => {
    const text = await readFile(path('agent.token'), 'utf8');
    expect((await stat(path('agent.token'))).mode & 0o777).toBe(0o600);
    expect(parseJoinToken(text).kind).toBe('agent');
    expect(parseJoinToken(await readFile(path('storage.token'), 'utf8')).kind).toBe('storage');
    await close();
    await open();
    expect(await readFile(path('agent.token'), 'utf8')).toBe(text);
    await writeFile(path('agent.token'), formatJoinToken({ ...parseJoinToken(text), id: '0123456789' }));
    await close();
    await open();
    const replaced = await readFile(path('agent.token'), 'utf8');
    expect((await joinWithToken(at, parseJoinToken(replaced), h1)).key).toContain('PRIVATE KEY');
  });
});

describe('a member', () => {
  const options = () => ({
    directory: path('h1'),
    subject: h1,
    coordinator: at,
    tokenFile: path('agent.token'),
    onEvent: () => {},
  });

  it('joins once, and has its credentials without any coordinator afterwards', async () => {
    (await becomeMember(options())).close();
    const { certificate } = readCredentials(path('h1'));
    await joining.close();
    await rm(path('agent.token'));
    (await becomeMember(options())).close();
    expect(readCredentials(path('h1')).certificate).toBe(certificate);
    await close();
    await open();
  });

  it('joins anew under another name, and when its certificate is over', async () => {
    (await becomeMember(options())).close();
    (await becomeMember({ ...options(), subject: { kind: 'agent', name: 'h9' } })).close();
    expect(factsOf(readCredentials(path('h1')).certificate).subject).toEqual({ kind: 'agent', name: 'h9' });
    wallMs -= 2 * 3_600_000;
    (await becomeMember({ ...options(), directory: path('h2') })).close();
    wallMs += 2 * 3_600_000;
    const over = readCredentials(path('h2')).certificate;
    expect(factsOf(over).notAfterMs).toBeLessThan(Date.now());
    (await becomeMember({ ...options(), directory: path('h2') })).close();
    expect(factsOf(readCredentials(path('h2')).certificate).notAfterMs).toBeGreaterThan(Date.now());
  });

  it('waits for a coordinator that is not there yet', async () => {
    const { port } = at;
    await joining.close();
    const events: string[] = [];
    const joined = becomeMember({ ...options(), onEvent: (_, message) => void events.push(message) });
    while (events.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(events[0]).toContain(`no coordinator answers at 127.0.0.1:${port}`);
    store.close();
    await open(port);
    (await joined).close();
    expect(factsOf(readCredentials(path('h1')).certificate).subject).toEqual(h1);
  });

  it('says which token does not fit, and what to do', async () => {
    const storage = { ...options(), tokenFile: path('storage.token') };
    await expect(becomeMember(storage)).rejects.toMatchObject({
      code: 'join.refused',
      message: expect.stringMatching(
        /is for a program of kind storage, and this is agent.*skein token create/s,
      ),
    });
    await writeFile(path('agent.token'), 'nonsense');
    await expect(becomeMember(options())).rejects.toMatchObject({
      code: 'join.token-invalid',
      message: expect.stringContaining(path('agent.token')),
    });
  });
});
