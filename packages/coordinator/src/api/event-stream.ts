/** The one ordered stream of events as server-sent events; `Last-Event-ID` or `after` resumes it anywhere. */
import type { Context } from 'hono';
import { type SSEStreamingApi, streamSSE } from 'hono/streaming';
import type { World } from '../world.ts';

const batch = 500;
/** A comment now and then, so that a dead reader is noticed. */
const keepAliveMs = 10_000;

export function eventStream(context: Context, world: World, after: number): Response {
  return streamSSE(context, async (stream) => {
    let cursor = after;
    let isOpen = true;
    stream.onAbort(() => {
      isOpen = false;
    });
    while (isOpen && !stream.closed) {
      cursor = await writeAfter(stream, world, cursor);
      if (world.store.events.last > cursor) continue;
      const before = performance.now();
      await world.changes.next(keepAliveMs);
      if (performance.now() - before >= keepAliveMs - 1) await stream.write(': still here\n\n');
    }
  });
}

/** A slow reader is waited for: nothing is queued but what the socket holds. */
async function writeAfter(stream: SSEStreamingApi, world: World, after: number): Promise<number> {
  let cursor = after;
  for (const event of world.store.events.after(after, batch)) {
    await stream.writeSSE({ id: String(event.sequence), event: event.type, data: JSON.stringify(event) });
    cursor = event.sequence;
  }
  return cursor;
}
