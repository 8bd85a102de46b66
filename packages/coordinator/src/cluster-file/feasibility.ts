/** What of a cluster file can never come true in this cluster, however long one waits. Pure. */
import type { ClusterFile, CoordinatorConfig, DeclaredVm, ImageReference, Segment } from '@skein/shared';

export interface Limits {
  /** Those of the coordinator's own configuration. */
  readonly segments: readonly Segment[];
  /** Undefined: not known, hosts may be of any size. */
  readonly largestHost: CoordinatorConfig['largestHost'] | undefined;
  /** In how little memory an image boots, of the default one where none is named; null: not known. */
  readonly memoryMibMinOf: (image: ImageReference | undefined) => number | null;
}

export interface Obstacle {
  /** From the root of the file. */
  readonly path: readonly (string | number)[];
  /** Follows the path: what is wrong and what is allowed. */
  readonly message: string;
}

export function obstacles(file: ClusterFile, limits: Limits): Obstacle[] {
  const known = [...limits.segments, ...file.segments].map(({ name }) => name);
  return [
    ...doubledSegments(file.segments, limits.segments),
    ...file.vms.flatMap((vm, index) =>
      [...memoryObstacles(vm, limits), ...cpuObstacles(vm, limits), ...segmentObstacles(vm, known)].map(
        ({ path, message }) => ({ path: ['vms', index, ...path], message }),
      ),
    ),
  ];
}

function doubledSegments(own: readonly Segment[], configured: readonly Segment[]): Obstacle[] {
  return own.flatMap((segment, index) =>
    (['name', 'vni'] as const).flatMap((key) => {
      const before = [...configured, ...own.slice(0, index)];
      if (!before.some((other) => other[key] === segment[key])) return [];
      return [{ path: ['segments', index, key], message: `another segment has the ${key} ${segment[key]}` }];
    }),
  );
}

function memoryObstacles({ memoryMib, image }: DeclaredVm, limits: Limits): Obstacle[] {
  const path = ['memoryMib'];
  const [most, least] = [limits.largestHost?.memoryMib, limits.memoryMibMinOf(image)];
  if (most !== undefined && memoryMib > most)
    return [{ path, message: `${memoryMib} MiB are more than any host has: at most ${most}` }];
  if (least !== null && memoryMib < least)
    return [{ path, message: `its image does not boot in ${memoryMib} MiB: at least ${least}` }];
  return [];
}

function cpuObstacles({ cpu }: DeclaredVm, { largestHost }: Limits): Obstacle[] {
  const most = largestHost?.cpuMhz;
  if (most === undefined || cpu.reservationMhz <= most) return [];
  const message = `${cpu.reservationMhz} MHz are more than any host has: at most ${most}`;
  return [{ path: ['cpu', 'reservationMhz'], message }];
}

function segmentObstacles({ nics }: DeclaredVm, known: readonly string[]): Obstacle[] {
  return nics.flatMap(({ segment }, index) => {
    if (known.includes(segment)) return [];
    const message = `there is no segment ${segment}; segments: ${known.join(', ') || 'none'}`;
    return [{ path: ['nics', index, 'segment'], message }];
  });
}
