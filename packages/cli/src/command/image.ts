/** `skein image build|list`: guest images, made from Debian's packages and kept by content. */
import { buildGuestImage, ensureGuestImage, type GuestImage, listGuestImages } from '@skein/guests';
import type { Command } from 'commander';
import { formatList, formatOne, type Presentation } from '../output/format.ts';
import { imageProgress } from '../output/image-progress.ts';
import { formatOf } from './shared-options.ts';

const imagePresentation: Presentation<GuestImage> = {
  kind: 'image',
  nameOf: (image) => image.digest,
  columns: [
    { header: 'DIGEST', value: (image) => image.digest },
    { header: 'KERNEL', value: (image) => image.kernelVersion },
    { header: 'MIB', value: (image) => image.memoryMibMin },
    {
      header: 'PACKAGES',
      value: (image) => image.packages.map(({ name, version }) => `${name}=${version}`).join(','),
      isWide: true,
    },
    { header: 'BOOT ARGUMENTS', value: (image) => image.defaultBootArguments, isWide: true },
  ],
};

interface BuildOptions {
  readonly updateLock?: boolean;
  readonly force?: boolean;
}

export function addImageCommand(program: Command): void {
  const image = program
    .command('image')
    .description("guest images: Debian's kernel and busybox, kept by content");
  image
    .command('build')
    .description('make the guest image of this checkout, unless the cache has it sound')
    .option('--update-lock', "take the archive's present packages and write them to the lock file")
    .option('--force', 'make it even if the cache has it')
    .action(build);
  image.command('list').description('the sound images in the cache').action(list);
}

async function build(options: BuildOptions, command: Command): Promise<void> {
  const format = formatOf(command);
  const progress = imageProgress();
  try {
    const make = options.force === true ? buildGuestImage : ensureGuestImage;
    const image = await make({ ...progress.options, updateLock: options.updateLock === true });
    progress.close();
    process.stdout.write(formatOne(imagePresentation, image, format));
  } finally {
    progress.close();
  }
}

async function list(_options: unknown, command: Command): Promise<void> {
  const format = formatOf(command);
  const images = await listGuestImages({
    onWarning: (message) => process.stderr.write(`skein: ${message}\n`),
  });
  if (images.length === 0 && (format === 'table' || format === 'wide')) {
    process.stderr.write('there is no guest image; make one with: skein image build\n');
    return;
  }
  process.stdout.write(formatList(imagePresentation, images, format));
}
