/** The coordinator's link to the storage service: it reads leases, it never holds one. */
import { type LeaseView, storageProtocol, type VmId } from '@skein/shared';
import { type Authentication, type CloseReason, type Identity, KeptLink } from '@skein/transport';

export interface LeaseReaderOptions {
  readonly host: string;
  readonly port: number;
  readonly localAddress: string;
  readonly own: Identity;
  readonly authentication: Authentication;
  readonly onDown?: (reason: CloseReason) => void;
}

const readDeadlineMs = 1000;
/** A list of all leases may be long. */
const maxPayloadBytes = 16 << 20;

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

  /** @throws OperationError link.closed, link.timeout */
  async list(): Promise<readonly LeaseView[]> {
    const { leases } = await this.#link.get().request('lease.list', {}, { deadlineMs: readDeadlineMs });
    return leases;
  }

  close(): void {
    this.#link.close();
  }
}
