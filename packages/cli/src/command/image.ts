/** `skein image build|list|disk`: guest images and root disks, made from Debian's packages. */
import {
  buildGuestImage,
  buildRootDisk,
  defaultDiskPackages,
  diskSizeMibDefault,
  ensureGuestImage,
  type GuestImage,
  type GuestImageName,
  guestImageNames,
  listGuestImages,
  type RootDisk,
} from '@skein/guests';
import { Argument, type Command } from 'commander';
import { formatList, formatOne, type Presentation } from '../output/format.ts';
import { imageProgress } from '../output/image-progress.ts';
import { countArgument } from './argument.ts';
import { makeImage } from './guest-image.ts';
import { formatOf } from './shared-options.ts';

const imagePresentation: Presentation<GuestImage> = {
  kind: 'image',
  nameOf: (image) => image.digest,
  columns: [
    { header: 'NAME', value: (image) => image.name },
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

const diskPresentation: Presentation<RootDisk> = {
  kind: 'disk',
  nameOf: (disk) => disk.path,
  columns: [
    { header: 'DISK', value: (disk) => disk.path },
    { header: 'MIB', value: (disk) => disk.sizeBytes / 2 ** 20 },
    { header: 'SUITE', value: (disk) => disk.suite },
    { header: 'PACKAGES', value: (disk) => disk.packages.length },
  ],
};

interface DiskOptions {
  readonly size: number;
  readonly package: readonly string[];
  readonly lock?: string;
}

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
    .description(
      "make a guest image of this checkout, unless the cache has it sound: debian has Debian's own kernel; small has one " +
        'that is compiled here from its source for what a guest needs, which takes minutes',
    )
    .addArgument(new Argument('[NAME]', 'which one').choices(guestImageNames).default('debian'))
    .option('--update-lock', "take the archive's present packages and write them to the lock file")
    .option('--force', 'make it even if the cache has it')
    .action(build);
  image
    .command('disk <FILE>')
    .description(
      'make a disk with a Debian root file system, for: skein machine run --disk FILE --append root=/dev/vda',
    )
    .option('--size <MIB>', 'of the file', countArgument(64, 65_536, 'MiB'), diskSizeMibDefault)
    .option('--package <NAME...>', 'what is on it, with all that this depends on', [...defaultDiskPackages])
    .option('--lock <FILE>', 'take the packages that are named there, and write there what was taken')
    .action(disk);
  image.command('list').description('the sound images in the cache').action(list);
}

async function build(name: GuestImageName, options: BuildOptions, command: Command): Promise<void> {
  const format = formatOf(command);
  const make = options.force === true ? buildGuestImage : ensureGuestImage;
  const image = await makeImage(make, { name, updateLock: options.updateLock === true });
  process.stdout.write(formatOne(imagePresentation, image, format));
}

async function disk(path: string, options: DiskOptions, command: Command): Promise<void> {
  const format = formatOf(command);
  const progress = imageProgress();
  try {
    const made = await buildRootDisk({
      ...progress.options,
      path,
      sizeMib: options.size,
      packages: options.package,
      ...(options.lock === undefined ? {} : { lockFile: options.lock }),
    });
    progress.close();
    process.stdout.write(formatOne(diskPresentation, made, format));
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
