/** Reads a flattened device tree back, strictly, for tests: every path with its properties, and the reservations. */

export interface ReadDeviceTree {
  /** By path: "/soc/serial@10000000"; the root is "/". */
  readonly nodes: ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>;
  readonly reservations: readonly (readonly [bigint, bigint])[];
}

export function readDeviceTree(blob: Uint8Array): ReadDeviceTree {
  const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
  const header = Array.from({ length: 10 }, (_, i) => view.getUint32(i * 4));
  const [magic, total = 0, structure = 0, names = 0, reserved = 0, version, compatible, , namesBytes = 0] =
    header;
  if (magic !== 0xd00dfeed || total > blob.length || version !== 17 || compatible !== 16) {
    throw new Error('not a device tree of version 17');
  }
  if (structure % 4 !== 0 || reserved % 8 !== 0 || names + namesBytes > blob.length)
    throw new Error('misplaced');

  const reservations: (readonly [bigint, bigint])[] = [];
  for (let at = reserved; ; at += 16) {
    const entry = [view.getBigUint64(at), view.getBigUint64(at + 8)] as const;
    if (entry[0] === 0n && entry[1] === 0n) break;
    reservations.push(entry);
  }

  const nodes = new Map<string, Map<string, Uint8Array>>();
  const path: string[] = [];
  let at = structure;
  for (;;) {
    const token = view.getUint32(at);
    at += 4;
    if (token === 1) {
      const name = textAt(blob, at);
      at = (at + name.length + 1 + 3) & ~3;
      path.push(name);
      nodes.set(pathOf(path), new Map());
    } else if (token === 2) {
      path.pop();
    } else if (token === 3) {
      const length = view.getUint32(at);
      const name = textAt(blob, names + view.getUint32(at + 4));
      nodes.get(pathOf(path))?.set(name, blob.subarray(at + 8, at + 8 + length));
      at = (at + 8 + length + 3) & ~3;
    } else if (token === 9) {
      if (path.length !== 0) throw new Error('the tree ends within a node');
      return { nodes, reservations };
    } else if (token !== 4) {
      throw new Error(`token ${token}`);
    }
  }
}

function pathOf(path: readonly string[]): string {
  return path.length === 1 ? '/' : path.join('/');
}

function textAt(blob: Uint8Array, at: number): string {
  return new TextDecoder().decode(blob.subarray(at, blob.indexOf(0, at)));
}
