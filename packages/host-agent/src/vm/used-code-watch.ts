/** Which code a guest that is about to move uses: once a migration, for the target, which decodes it before the guest comes to it. */
import type { UsedCode } from '@skein/machine';

/** For so long it is watched. Where the guest is suspended before that nobody is told. */
const watchNs = 30_000_000n;

export class UsedCodeWatch {
  readonly #machine: { readonly usedCode: Pick<UsedCode, 'watch' | 'read'> };
  readonly #tell: (usedCode: Uint8Array) => void;
  /** Null: it is not watched, or was told. */
  #sinceNs: bigint | null = null;

  constructor(
    machine: { readonly usedCode: Pick<UsedCode, 'watch' | 'read'> },
    tell: (usedCode: Uint8Array) => void,
  ) {
    this.#machine = machine;
    this.#tell = tell;
  }

  begin(nowNs: bigint): void {
    this.#machine.usedCode.watch();
    this.#sinceNs = nowNs;
  }

  /** Between two slices. */
  look(nowNs: bigint): void {
    if (this.#sinceNs === null || nowNs - this.#sinceNs < watchNs) return;
    const usedCode = this.#machine.usedCode.read();
    // Of a guest that slept all the while it is not known yet.
    this.#sinceNs = usedCode.length > 0 ? null : nowNs;
    if (usedCode.length > 0) this.#tell(usedCode);
  }

  end(): void {
    this.#sinceNs = null;
  }
}
