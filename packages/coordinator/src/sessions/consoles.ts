/**
 * Consoles of guests for people's programs: who is attached to a VM hears it wherever it runs, across migrations
 * and restarts, each told by a marker. Positions of the bytes let the streams of two hosts be joined without a gap.
 */
import {
  type ConsoleOutput,
  type Epoch,
  type HostName,
  LastBytes,
  toProblem,
  type VmId,
} from '@skein/shared';
import type { Environment } from '../env.ts';
import type { Sighting } from '../policy/inventory.ts';

export interface ConsoleReader {
  output(bytes: Uint8Array): void;
  marker(text: string): void;
}

interface Place {
  readonly host: HostName;
  readonly epoch: Epoch;
}

interface Feed {
  readonly vm: VmId;
  readonly name: string;
  readonly readers: Set<ConsoleReader>;
  place: Place | null;
  isAttached: boolean;
  isAttaching: boolean;
  /** Position of the next byte to be told. */
  position: number;
  readonly backlog: LastBytes;
  /** Output that came while the reply with the backlog was still on its way. */
  early: ConsoleOutput[];
  /** Output of the host that the VM migrates to, while what the source said last is still on its way. */
  ahead: { readonly host: HostName; readonly outputs: ConsoleOutput[] } | null;
  /** Typed while the VM's host is not known or not reached: told when it is. */
  held: Uint8Array[];
}

const backlogBytesMax = 64 << 10;
const earlyMax = 1000;
/** What is typed beyond this while nobody hears it is lost, as on a real line. */
const heldBytesMax = 4096;
const attachDeadlineMs = 3000;
const powerOnsKept = 10_000;

export class Consoles {
  readonly #env: Environment;
  readonly #input: (host: HostName, vm: VmId, bytes: Uint8Array) => void;
  readonly #isExpected: (vm: VmId, host: HostName) => boolean;
  readonly #feeds = new Map<VmId, Feed>();
  /** Epochs that began with a power-on, not with a migration. */
  readonly #poweredOn = new Set<string>();

  /** `isExpected`: the VM is being migrated to that host, which tells on by itself once it has the lease. */
  constructor(
    env: Environment,
    input: (host: HostName, vm: VmId, bytes: Uint8Array) => void,
    isExpected: (vm: VmId, host: HostName) => boolean,
  ) {
    this.#env = env;
    this.#input = input;
    this.#isExpected = isExpected;
  }

  poweredOn(vm: VmId, epoch: Epoch): void {
    this.#poweredOn.add(`${vm}/${epoch}`);
    for (const oldest of this.#poweredOn) {
      if (this.#poweredOn.size <= powerOnsKept) break;
      this.#poweredOn.delete(oldest);
    }
  }

  /** Returns what the reader has missed: at most the last 64 KiB. */
  async attach(vm: VmId, name: string, copy: Sighting | null, reader: ConsoleReader): Promise<Uint8Array> {
    let feed = this.#feeds.get(vm);
    if (feed === undefined) {
      feed = {
        vm,
        name,
        readers: new Set(),
        place: null,
        isAttached: false,
        isAttaching: false,
        position: 0,
        backlog: new LastBytes(backlogBytesMax),
        early: [],
        ahead: null,
        held: [],
      };
      this.#feeds.set(vm, feed);
    }
    if (!feed.isAttached && copy !== null) await this.#attachTo(feed, copy);
    // Without an await in between: what follows the backlog is told as output.
    feed.readers.add(reader);
    return feed.backlog.bytes;
  }

  detach(vm: VmId, reader: ConsoleReader): void {
    const feed = this.#feeds.get(vm);
    if (feed === undefined) return;
    feed.readers.delete(reader);
    if (feed.readers.size > 0) return;
    this.#feeds.delete(vm);
    if (feed.place === null) return;
    this.#env.command(feed.place.host, 'console.detach', { vm }, attachDeadlineMs).catch(() => {});
  }

  input(vm: VmId, bytes: Uint8Array): void {
    const feed = this.#feeds.get(vm);
    if (feed === undefined) return;
    if (feed.place !== null && feed.isAttached) this.#input(feed.place.host, vm, bytes);
    else if (feed.held.reduce((sum, held) => sum + held.length, bytes.length) <= heldBytesMax)
      feed.held.push(bytes);
  }

  heard(host: HostName, output: ConsoleOutput): void {
    const feed = this.#feeds.get(output.vm);
    if (feed === undefined) {
      // Whoever read along has gone while the guest moved there.
      this.#env.command(host, 'console.detach', { vm: output.vm }, attachDeadlineMs).catch(() => {});
      return;
    }
    if (feed.place?.host === host) {
      if (feed.isAttaching) {
        if (feed.early.length < earlyMax) feed.early.push(output);
        return;
      }
      this.#tell(feed, output.position, output.bytes);
    } else if (feed.isAttached && this.#isExpected(output.vm, host)) {
      if (feed.ahead?.host !== host) feed.ahead = { host, outputs: [] };
      if (feed.ahead.outputs.length < earlyMax) feed.ahead.outputs.push(output);
    }
    this.#goAhead(feed);
  }

  /** The guest runs at the host that it was migrated to: no question, and no status, is waited for. */
  #goAhead(feed: Feed): void {
    const { ahead, place } = feed;
    const isNext = ahead?.outputs[0] !== undefined && ahead.outputs[0].position <= feed.position;
    if (ahead === null || place === null || !isNext) return;
    feed.place = { host: ahead.host, epoch: place.epoch + 1 };
    feed.ahead = null;
    this.#mark(feed, `${feed.name} moved to ${ahead.host}`);
    for (const output of ahead.outputs) this.#tell(feed, output.position, output.bytes);
  }

  /** An agent's link is new: it has forgotten who was attached. */
  linkLost(host: HostName): void {
    for (const feed of this.#feeds.values()) if (feed.place?.host === host) feed.isAttached = false;
  }

  /** Called at each change: consoles go where their VMs are. */
  follow(find: (vm: VmId) => Sighting | null, isUncertain: (vm: VmId) => boolean): void {
    for (const feed of this.#feeds.values()) {
      if (feed.isAttaching) continue;
      const copy = find(feed.vm);
      if (copy === null) {
        // Its host cannot be heard for a moment: that is no news.
        if (!isUncertain(feed.vm)) this.#ended(feed);
      } else if (!isFollowed(feed, copy)) void this.#attachTo(feed, copy);
    }
  }

  #ended(feed: Feed): void {
    if (feed.place === null) return;
    this.#mark(feed, `${feed.name} does not run on ${feed.place.host} any more`);
    feed.place = null;
    feed.isAttached = false;
  }

  async #attachTo(feed: Feed, copy: Sighting): Promise<void> {
    const { host } = copy;
    const { epoch } = copy.report;
    const before = feed.place;
    const isRestarted = this.#poweredOn.has(`${feed.vm}/${epoch}`) && before?.epoch !== epoch;
    feed.isAttaching = true;
    feed.early = [];
    feed.ahead = null;
    feed.place = { host, epoch };
    try {
      const body = { vm: feed.vm };
      const { position, backlog } = await this.#env.command(host, 'console.attach', body, attachDeadlineMs);
      if (before !== null && before.epoch !== epoch) {
        this.#mark(
          feed,
          isRestarted ? `${feed.name} was powered on on ${host}` : `${feed.name} moved to ${host}`,
        );
      } else if (before === null && feed.position > 0) this.#mark(feed, `${feed.name} runs on ${host}`);
      if (isRestarted || position + backlog.length < feed.position) feed.position = 0;
      this.#tell(feed, position, backlog);
      for (const output of feed.early) this.#tell(feed, output.position, output.bytes);
      feed.isAttached = true;
      for (const bytes of feed.held.splice(0)) this.#input(host, feed.vm, bytes);
    } catch (error) {
      // Tried again at the next change, which a status brings each second.
      if (toProblem(error).code === 'vm.not-found') feed.place = before;
    } finally {
      feed.isAttaching = false;
      feed.early = [];
    }
  }

  /** Bytes that were told already are left out; a gap is the agent's, which keeps 64 KiB only. */
  #tell(feed: Feed, position: number, bytes: Uint8Array): void {
    const known = Math.max(0, feed.position - position);
    if (known >= bytes.length) return;
    const fresh = bytes.subarray(known);
    feed.position = position + bytes.length;
    feed.backlog.append(fresh);
    for (const reader of feed.readers) reader.output(fresh);
  }

  #mark(feed: Feed, text: string): void {
    for (const reader of feed.readers) reader.marker(text);
  }
}

/** Also where the target of a migration was heard, and is known from no status yet. */
function isFollowed({ isAttached, place }: Feed, { host, report }: Sighting): boolean {
  if (!isAttached || place === null) return false;
  return report.epoch < place.epoch || (report.epoch === place.epoch && place.host === host);
}
