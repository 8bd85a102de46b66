/** Root disks under Debian's own kernel. */
import { describeRootDisk } from './debian-programs.ts';

describeRootDisk('debian', { hasPerf: true });
