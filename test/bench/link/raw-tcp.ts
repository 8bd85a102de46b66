/** What a link between two containers can carry: plain TCP, no protocol of ours. */
import { setTimeout as delay } from 'node:timers/promises';
import { containerOf, docker } from '../container-cluster.ts';
import { migrationAddressOf } from './migration-address.ts';

const rawPort = 5999;
const rawMs = 2000;
const settleMs = 300;

/** Bits a second by plain TCP between the two hosts' migration addresses, once the link's burst allowance is used up. */
export async function rawTcp(from: string, to: string): Promise<number> {
  const target = await migrationAddressOf(to);
  const sink = `
    const server = require('net').createServer((s) => {
      let bytes = 0, began = 0, counted = 0;
      s.on('data', (d) => { const now = performance.now(); began ||= now; if (now - began > ${settleMs}) counted ||= now; if (counted) bytes += d.length; last = now; });
      let last = 0;
      s.on('close', () => { console.log(bytes * 8 / ((last - counted) / 1000)); process.exit(0); });
    }).listen(${rawPort}, '${target}', () => console.log('listening'));
    setTimeout(() => process.exit(1), 20000);`;
  const source = `
    const s = require('net').connect(${rawPort}, '${target}');
    const chunk = Buffer.alloc(65536, 7), end = performance.now() + ${rawMs + settleMs};
    const go = () => { while (performance.now() < end) if (!s.write(chunk)) return s.once('drain', go); s.destroy(); };
    s.on('connect', go);`;
  const heard = docker('exec', containerOf(to), 'node', '-e', sink);
  await delay(settleMs);
  await docker('exec', containerOf(from), 'node', '-e', source);
  const rate = Number((await heard).trim().split('\n').at(-1));
  if (!Number.isFinite(rate) || rate <= 0) throw new Error('raw TCP between the hosts carried nothing');
  return rate;
}
