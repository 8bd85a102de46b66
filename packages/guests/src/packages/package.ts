/** Which Debian packages a guest image is made of, and which of several kernels to take. Pure. */

/** A package as it is named, wherever it comes from. */
export interface PackageIdentity {
  readonly name: string;
  readonly version: string;
  /** Of the .deb file; a package is this content, the rest is for people. */
  readonly sha256: string;
}

/** A package that is here, as a verified file. */
export interface LocalPackage extends PackageIdentity {
  readonly path: string;
}

export const busyboxPackage = 'busybox-static';
/** Debian's meta package: depends on the suite's present kernel. */
export const kernelMetaPackage = 'linux-image-riscv64';

/** Linux as Debian 12 has it, for whoever compiles it. */
export const kernelSourcePackage = 'linux-source-6.1';

export function isKernelPackage(name: string): boolean {
  return /^linux-(?:image|binary|modules)-\d/.test(name);
}

/**
 * The names of the packages that hold a kernel's image and modules, of the newest kernel that is complete among
 * those available, or undefined. Debian 13 has both in linux-image-<release>; later suites split them into
 * linux-binary-<release> and linux-modules-<release>, and linux-image-<release> is empty.
 */
export function chooseKernelPackages(available: ReadonlySet<string>): readonly string[] | undefined {
  const releases = [...available]
    .flatMap((name) => /^linux-(?:image|binary)-(\d.*)$/.exec(name)?.[1] ?? [])
    .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  for (const release of new Set(releases)) {
    const isSplit = available.has(`linux-binary-${release}`);
    const names = isSplit
      ? [`linux-binary-${release}`, `linux-modules-${release}`]
      : [`linux-image-${release}`];
    if (names.every((name) => available.has(name))) return names;
  }
  return undefined;
}
