import { clientProtocol } from '@skein/shared';
import { dial } from '@skein/transport';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { apiToken, TestCluster } from '../testing/test-cluster.ts';

let cluster: TestCluster;
let vm: string;

beforeEach(async () => {
  cluster = await TestCluster.start(2);
  ({ id: vm } = await cluster.boot('web1', 'h1'));
});
afterEach(() => cluster.close());

async function attach(token = apiToken) {
  const heard = { text: '', markers: [] as string[] };
  const link = await dial({
    host: '127.0.0.1',
    port: cluster.ports.clientPort,
    protocol: clientProtocol,
    own: { role: 'client', name: 'test', bootId: 'c'.repeat(32) },
    authentication: { kind: 'token', token },
    handlers: {
      requests: {},
      notices: {
        'console.output': ({ bytes }) => {
          heard.text += Buffer.from(bytes).toString();
        },
        'console.marker': ({ text }) => void heard.markers.push(text),
      },
    },
  });
  const { host, backlog } = await link.request('console.attach', { vm: 'web1' }, { deadlineMs: 2000 });
  return { link, heard, host, backlog: Buffer.from(backlog).toString() };
}

const backlog = 'console of h1\n';

describe('a console', () => {
  it('gives the backlog, then what follows, each byte once', async () => {
    const console = await attach();
    expect([console.host, console.backlog]).toEqual(['h1', backlog]);
    cluster.agent('h1').console(vm, backlog.length - 3, 'h1\nmore');
    await cluster.eventually('more', () => console.heard.text === 'more');
    console.link.notify('console.input', { bytes: new Uint8Array(Buffer.from('ls\n')) });
    await cluster.eventually('input arrived', () => cluster.agent('h1').inputs === 'ls\n');
    console.link.close();
  });

  it('follows the guest over a migration with a marker and without a repetition', async () => {
    const console = await attach();
    cluster.storage.pass(vm, 'h2');
    cluster.agent('h1').vms.delete(vm);
    cluster.agent('h2').put(vm, 'web1', 2, 'running');
    await cluster.eventually('a marker', () => console.heard.markers.length > 0);
    expect(console.heard.markers).toEqual(['web1 moved to h2']);
    await cluster.eventually(
      'it is attached',
      () => cluster.agent('h2').commands('console.attach').length > 0,
    );
    cluster.agent('h2').console(vm, backlog.length, 'goes on');
    await cluster.eventually('output of h2', () => console.heard.text === 'goes on');
    console.link.close();
  });

  it('hears the target of a migration before anybody has told that the guest is there, behind what the source said', async () => {
    const console = await attach();
    await cluster.post('/vms/web1/migrate', { host: 'h2' });
    cluster.agent('h2').console(vm, backlog.length + 5, 'goes on');
    cluster.agent('h1').console(vm, backlog.length, 'last ');
    await cluster.eventually('both', () => console.heard.text === 'last goes on');
    expect(console.heard.markers).toEqual(['web1 moved to h2']);
    console.link.notify('console.input', { bytes: new Uint8Array(Buffer.from('ls\n')) });
    await cluster.eventually('input arrived', () => cluster.agent('h2').inputs === 'ls\n');
    expect(cluster.agent('h2').commands('console.attach')).toHaveLength(0);
    console.link.close();
  });

  it('hears no host that the guest is not, and does not go, and tells one to be quiet if nobody listens', async () => {
    const console = await attach();
    cluster.agent('h2').console(vm, backlog.length, 'a lie');
    cluster.agent('h1').console(vm, backlog.length, 'the truth');
    await cluster.eventually('the truth', () => console.heard.text === 'the truth');
    console.link.close();
    await cluster.eventually('detached', () => cluster.agent('h1').commands('console.detach').length === 1);
    cluster.agent('h2').console(vm, backlog.length, 'to nobody');
    await cluster.eventually('it is told', () => cluster.agent('h2').commands('console.detach').length === 1);
  });

  it('begins anew when the guest was restarted', async () => {
    const console = await attach();
    cluster.agent('h1').kill();
    await cluster.eventually('output of h2', () => console.heard.text === 'console of h2\n');
    expect(console.heard.markers.at(-1)).toContain('h2');
    console.link.close();
  });

  it('is refused with another token than that of the API', async () => {
    await expect(attach(new Uint8Array(32).fill(1))).rejects.toMatchObject({ code: 'link.unauthenticated' });
  });

  it('is given up at the agent when nobody listens any more', async () => {
    const first = await attach();
    const second = await attach();
    first.link.close();
    second.link.close();
    await cluster.eventually('detached', () => cluster.agent('h1').commands('console.detach').length === 1);
    expect(cluster.agent('h1').commands('console.attach')).toHaveLength(1);
  });
});
