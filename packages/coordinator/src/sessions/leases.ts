/** The coordinator's link to the storage service: it reads leases, it never holds one. */
import { type LeaseView, type OwnAddress, storageProtocol, type VmId } from '@skein/shared';
import { type Authentication, type CloseReason, type Identity, KeptLink } from '@skein/transport';

export interface LeaseReaderOptions {
  readonly host: string;
  readonly port: number;
  readonly localAddress: OwnAddress;
  readonly own: Identity;
  readonly authentication: Authentication;
  readonly onDown?: (reason: CloseReason) => void;
}

const readDeadlineMs = 1000;
/** A page of leases is some hundred KiB. */
const maxPayloadBytes = 4 << 20;

export class LeaseReader {
  readonly #link: KeptLink<typeof storageProtocol>;

  constructor(options: LeaseReaderOptions) {
    this.#link = new KeptLink({
      ...options,
      protocol: storageProtocol,
      handlers: { requests: {}, notices: {} },
      maxPayloadBytes,
      pauseMsMax: 500,
      onLink: () => {},
    });
  }

  get isConnected(): boolean {
    return this.#link.link !== null;
  }

  /** @throws OperationError link.closed, link.timeout */
  async read(vm: VmId): Promise<LeaseView | null> {
    const { lease } = await this.#link.get().request('lease.read', { vm }, { deadlineMs: readDeadlineMs });
    return lease;
  }

  /** All leases, page by page. @throws OperationError link.closed, link.timeout */
  async list(): Promise<readonly LeaseView[]> {
    const leases: LeaseView[] = [];
    let after: VmId | null = null;
    do {
      const page: { leases: LeaseView[]; next: VmId | null } = await this.#link
        .get()
        .request('lease.list', { after }, { deadlineMs: readDeadlineMs });
      leases.push(...page.leases);
      // Only forward: a peer that goes round in circles ends this.
      if (page.next !== null && after !== null && page.next <= after) break;
      after = page.next;
    } while (after !== null);
    return leases;
  }

  close(): void {
    this.#link.close();
  }
}
