import { describe, expect, it } from 'vitest';
import { own, protocol, serve, token } from './link.fixture.ts';
import type { CloseReason } from './link.ts';
import { type KeepLinkOptions, KeptLink } from './reconnecting.ts';

interface Events {
  readonly up: number;
  readonly down: readonly CloseReason[];
}

/** A kept link whose ups and downs can be awaited. */
function keeping(port: number, more: Partial<KeepLinkOptions<typeof protocol>> = {}) {
  const state = { up: 0, down: [] as CloseReason[] };
  let wake = (): void => {};
  const kept = new KeptLink({
    host: '127.0.0.1',
    port,
    protocol,
    own: own('client', 'two'),
    authentication: token,
    handlers: { requests: { ask: () => ({ name: 'two' }) }, notices: { fill: () => {} } },
    pauseMsMin: 5,
    pauseMsMax: 20,
    ...more,
    onLink: (link) => {
      state.up += 1;
      wake();
      more.onLink?.(link);
    },
    onDown: (reason) => {
      state.down.push(reason);
      wake();
    },
  });
  const until = async (isSo: (events: Events) => boolean): Promise<void> => {
    while (!isSo(state)) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return { kept, state, until };
}

describe('a kept link', () => {
  it('is up again after its listener was gone, and says so each time', async () => {
    const first = await serve();
    const { port } = first.listener;
    const { kept, until } = keeping(port);
    await until(({ up }) => up === 1);
    expect(await kept.get().request('double', { value: 1 }, { deadlineMs: 5000 })).toEqual({ value: 2 });
    await first.listener.close();
    // Twice: once for the end of the link, once at least for an attempt that found nobody.
    await until(({ down }) => down.length >= 2 && down.at(-1)?.code === 'link.refused');
    expect(kept.link).toBeNull();
    expect(() => kept.get()).toThrow('no connection');
    await serve({ port });
    await until(({ up }) => up === 2);
    expect(await kept.get().request('double', { value: 2 }, { deadlineMs: 5000 })).toEqual({ value: 4 });
    kept.close();
  });

  it('dials anew from another address; a link that was made a moment ago is from it already', async () => {
    const { listener } = await serve();
    const { kept, state, until } = keeping(listener.port);
    await until(({ up }) => up === 1);
    kept.redial('the network changed');
    expect(await kept.get().request('double', { value: 1 }, { deadlineMs: 5000 })).toEqual({ value: 2 });
    expect(state.down).toEqual([]);
    await new Promise((resolve) => setTimeout(resolve, 600));
    kept.redial('the network changed');
    await until(({ up }) => up === 2);
    expect(state.down.map(({ message }) => message)).toEqual(['the network changed']);
    kept.close();
  });

  it('tries more and more rarely at a peer that hangs up at once', async () => {
    const { listener } = await serve({ onLink: (link) => link.close('not now') });
    const { kept, state, until } = keeping(listener.port, { pauseMsMin: 1, pauseMsMax: 10_000 });
    const begin = performance.now();
    await until(({ down }) => down.length === 9);
    // Pauses of at least half of 1, 2, 4 ... 128 ms; a storm would be through in a few.
    expect(performance.now() - begin).toBeGreaterThan(127);
    expect(state.down.every(({ code }) => code === 'link.closed')).toBe(true);
    kept.close();
  });

  it('closes the link on which its owner fails, and tries again', async () => {
    const { listener } = await serve();
    let isFirst = true;
    const { kept, until } = keeping(listener.port, {
      onLink: () => {
        if (!isFirst) return;
        isFirst = false;
        throw new Error('not ready');
      },
    });
    await until(({ up }) => up === 2);
    expect(kept.get().isOpen).toBe(true);
    kept.close();
  });

  it('does not come back after it was closed', async () => {
    const { listener, links } = await serve();
    const { kept, state, until } = keeping(listener.port);
    await until(({ up }) => up === 1);
    kept.close();
    await links[0]?.closed;
    await listener.close();
    expect(state).toMatchObject({ up: 1, down: [] });
  });
});
