/**
 * What the project uses of WebAssembly's JavaScript interface, which TypeScript declares only together with the
 * DOM. Source: WebAssembly JavaScript Interface, "The WebAssembly Namespace".
 */
declare global {
  namespace WebAssembly {
    class Module {
      constructor(bytes: Uint8Array);
      private readonly module: true;
    }
    class Memory {
      constructor(limits: { initial: number; maximum: number; shared: boolean });
      readonly buffer: SharedArrayBuffer;
      /** By so many pages of 64 KiB; returns how many there were. */
      grow(pages: number): number;
    }
    class Global {
      readonly value: unknown;
      private readonly global: true;
    }
    class Instance {
      constructor(module: Module, imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>);
      readonly exports: Readonly<Record<string, unknown>>;
    }
  }
}

export {};
