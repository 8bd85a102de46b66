/**
 * The host's lease at the coordinator: heartbeats on a link of their own, each quarter second. A grant counts from
 * when its heartbeat was sent. Losing it stops placement here, never a guest.
 */
import {
  agentCoordinatorProtocol,
  grantDeadlineNs,
  type HostName,
  type OwnAddress,
  type Timing,
} from '@skein/shared';
import { type Authentication, KeptLink } from '@skein/transport';
import type { LeaseFigures } from './lease-figures.ts';

export interface HostLeaseOptions {
  readonly host: HostName;
  readonly bootId: string;
  readonly localAddress: OwnAddress;
  readonly coordinator: { readonly address: string; readonly port: number };
  readonly authentication: Authentication;
  readonly timing: Timing;
  readonly isMainAlive: () => boolean;
  readonly figures: LeaseFigures;
  readonly onChange: (isHeld: boolean) => void;
}

export class HostLease {
  readonly #options: HostLeaseOptions;
  readonly #link: KeptLink<typeof agentCoordinatorProtocol>;
  #sequence = 0;
  #echo = 0;
  #deadlineNs = 0n;
  #isHeld = false;

  constructor(options: HostLeaseOptions) {
    this.#options = options;
    const nothing = (): never => {
      throw new Error('a heartbeat link takes no commands');
    };
    this.#link = new KeptLink({
      host: options.coordinator.address,
      port: options.coordinator.port,
      localAddress: options.localAddress,
      protocol: agentCoordinatorProtocol,
      own: { role: 'agent-heartbeat', name: options.host, bootId: options.bootId },
      authentication: options.authentication,
      pauseMsMax: 500,
      handlers: {
        requests: {
          'vm.start': nothing,
          'vm.stop': nothing,
          'migration.source': nothing,
          'migration.target': nothing,
          'migration.cancel': nothing,
          'migration.source-aborted': nothing,
          'console.attach': nothing,
          'console.detach': nothing,
        },
        notices: { 'cluster.view': () => {}, 'console.input': () => {} },
      },
      onLink: () => void this.#beat(),
    });
    setInterval(() => void this.#beat(), options.timing.heartbeatPeriodMs);
  }

  /** This host's address on the management network is another one now. */
  redial(): void {
    this.#link.redial('the management network changed');
  }

  async #beat(): Promise<void> {
    this.#tellIfChanged();
    const { link } = this.#link;
    if (link === null || !this.#options.isMainAlive()) return;
    const { host, bootId, timing, figures } = this.#options;
    const sequence = ++this.#sequence;
    const sentNs = process.hrtime.bigint();
    try {
      const body = { host, bootId, sequence, echo: this.#echo };
      const reply = await link.request('heartbeat', body, { deadlineMs: timing.hostLeaseTtlMs });
      this.#echo = Math.max(this.#echo, reply.sequence);
      figures.add(reply.granted ? 'heartbeatsGranted' : 'heartbeatsWithheld');
      if (!reply.granted) return;
      const deadlineNs = grantDeadlineNs(sentNs, reply.ttlMs, timing);
      if (deadlineNs > this.#deadlineNs) this.#deadlineNs = deadlineNs;
      figures.set('hostLeaseDeadlineNs', this.#deadlineNs);
    } catch {
      figures.add('heartbeatsUnanswered');
      // The link tells of its own end; a heartbeat without answer is not repeated, the next one follows.
    }
    this.#tellIfChanged();
  }

  #tellIfChanged(): void {
    const isHeld = process.hrtime.bigint() < this.#deadlineNs;
    if (isHeld === this.#isHeld) return;
    this.#isHeld = isHeld;
    this.#options.onChange(isHeld);
  }
}
