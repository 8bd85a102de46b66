import { expect, it } from 'vitest';
import { type Attachment, MacTable } from './mac-table.ts';

const limits = { entriesMax: 4, entriesPerAttachmentMax: 3, ageingMs: 300_000 };
const port = (id: number): Attachment => ({ kind: 'port', port: id });
const segment = 1;

it('a learned address is found in its segment alone', () => {
  const table = new MacTable(limits);
  table.learn(segment, 10, port(1), 0);
  expect(table.lookup(segment, 10, 1)).toEqual(port(1));
  expect(table.lookup(segment + 1, 10, 1)).toBeUndefined();
});

it('an address is forgotten 300 s after it was last seen', () => {
  const table = new MacTable(limits);
  table.learn(segment, 10, port(1), 0);
  table.learn(segment, 10, port(1), 200_000);
  expect(table.lookup(segment, 10, 499_999)).toEqual(port(1));
  expect(table.lookup(segment, 10, 500_000)).toBeUndefined();
  table.expire(500_000);
  expect(table.size).toBe(0);
});

it('a station that moves is found at its new place', () => {
  const table = new MacTable(limits);
  table.learn(segment, 10, port(1), 0);
  expect(table.isNews(segment, 10, { kind: 'peer', host: 'h2' }, 1)).toBe(true);
  table.learn(segment, 10, { kind: 'peer', host: 'h2' }, 1);
  expect(table.lookup(segment, 10, 2)).toEqual({ kind: 'peer', host: 'h2' });
  expect(table.size).toBe(1);
});

it('a station seen a moment ago at the same place is no news', () => {
  const table = new MacTable(limits);
  table.learn(segment, 10, port(1), 0);
  expect(table.isNews(segment, 10, port(1), 999)).toBe(false);
  expect(table.isNews(segment, 10, port(1), 1000)).toBe(true);
});

it('one attachment cannot take more than its part, and all together not more than the table', () => {
  const table = new MacTable(limits);
  const learned = [1, 2, 3, 4].map((mac) => table.learn(segment, mac, port(1), 0));
  expect(learned).toEqual([true, true, true, false]);
  expect(table.learn(segment, 5, port(2), 0)).toBe(true);
  expect(table.learn(segment, 6, port(2), 0)).toBe(false);
  expect(table.size).toBe(4);
});

it('aged addresses make room for new ones', () => {
  const table = new MacTable(limits);
  for (const mac of [1, 2, 3]) table.learn(segment, mac, port(1), 0);
  table.learn(segment, 9, port(2), 200_000);
  expect(table.learn(segment, 4, port(1), 300_000)).toBe(true);
  expect(table.size).toBe(2);
});

it('everything behind a removed port is forgotten, and nothing else', () => {
  const table = new MacTable(limits);
  table.learn(segment, 1, port(1), 0);
  table.learn(segment + 1, 2, port(1), 0);
  table.learn(segment, 3, { kind: 'peer', host: 'h2' }, 0);
  table.forgetAttachment(port(1));
  expect(table.size).toBe(1);
  expect(table.lookup(segment, 3, 0)).toEqual({ kind: 'peer', host: 'h2' });
});
