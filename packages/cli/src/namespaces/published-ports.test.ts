import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { PublishedPorts } from './published-ports.ts';

const stdio = ['ignore', 'ignore', 'ignore', 'ipc'] as const;

describe('ports for a process in another namespace', () => {
  it('are let go at once when that process has ended before it could take them', async () => {
    const ports = await PublishedPorts.listen(['127.98.0.1'], [7100]);
    const child = spawn(process.execPath, ['-e', ''], { stdio: [...stdio] });
    await once(child, 'exit');
    await expect(ports.handTo(child)).rejects.toMatchObject({ code: 'process.died' });
    const refused = await new Promise((resolve) => {
      connect(7100, '127.98.0.1')
        .once('error', ({ code }: NodeJS.ErrnoException) => resolve(code))
        .once('connect', () => resolve('connected'));
    });
    expect(refused).toBe('ECONNREFUSED');
  });

  it('are the process’ own once it has them', async () => {
    const ports = await PublishedPorts.listen(['127.98.0.2'], [7100]);
    const script = `
      process.once('message', (_, server) =>
        server.on('connection', (socket) => socket.end('here')));
      process.send('listening');`;
    const child = spawn(process.execPath, ['-e', script], { stdio: [...stdio] });
    await ports.handTo(child);
    const said = await new Promise((resolve, reject) => {
      const socket = connect(7100, '127.98.0.2').once('error', reject);
      socket.once('data', (bytes) => resolve(bytes.toString()));
    });
    expect(said).toBe('here');
    child.kill();
    await once(child, 'exit');
  });
});
