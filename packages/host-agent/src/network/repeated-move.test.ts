import { createServer, type Server } from 'node:net';
import { expect, it } from 'vitest';
import { RepeatedMove } from './repeated-move.ts';

const listenOn = (server: Server, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port }, resolve);
  });
const portOf = (server: Server): number => (server.address() as { port: number }).port;
const close = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()));

it('a listener whose place is taken listens there as soon as it is free', async () => {
  const other = createServer();
  await listenOn(other, 0);
  const ours = createServer();
  const failures: unknown[] = [];
  const failed = Promise.withResolvers<void>();
  const moved = Promise.withResolvers<void>();
  const port = portOf(other);
  const move = new RepeatedMove({
    move: () => listenOn(ours, port),
    onMoved: moved.resolve,
    onFailed: (error) => {
      failures.push(error);
      failed.resolve();
    },
  });
  move.begin();
  await failed.promise;
  await close(other);
  await moved.promise;
  expect(portOf(ours)).toBe(port);
  expect(failures[0]).toMatchObject({ code: 'EADDRINUSE' });
  await close(ours);
});

it('the newest move alone goes on', async () => {
  const attempts: string[] = [];
  let place = 'old';
  const done = Promise.withResolvers<void>();
  const move = new RepeatedMove({
    move: async () => {
      attempts.push(place);
      if (place === 'old') throw new Error('nobody is at home');
    },
    onMoved: done.resolve,
    onFailed: () => {},
  });
  move.begin();
  place = 'new';
  move.begin();
  await done.promise;
  await new Promise((resolve) => setTimeout(resolve, 700));
  expect(attempts).toEqual(['old', 'new']);
});
