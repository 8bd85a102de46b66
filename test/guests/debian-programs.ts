/**
 * Debian's own programs on a disk that was made without root: they run in the machine, do real work, and what they write is
 * there after the next boot.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { buildRootDisk, ensureGuestImage, type GuestImageName } from '@skein/guests';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const main = resolve(import.meta.dirname, '../../packages/cli/src/main.ts');
const bootMs = 120_000;

/** Instructions of a loop, as the kernel's perf counts them. */
const countInstructions = `cat > /root/count.py <<'END'
import ctypes, fcntl, os, struct
library = ctypes.CDLL(None, use_errno=True)
# struct perf_event_attr of 64 bytes: type hardware, event instructions, disabled. Source: perf_event_open(2).
attributes = struct.pack('IIQQQQQIIQ', 0, 64, 1, 0, 0, 0, 1, 0, 0, 0)
counter = library.syscall(241, attributes, 0, -1, -1, 0)
if counter < 0: raise OSError(ctypes.get_errno(), 'perf_event_open')
def count(times):
    fcntl.ioctl(counter, 0x2403, 0)
    fcntl.ioctl(counter, 0x2400, 0)
    for _ in range(times): pass
    fcntl.ioctl(counter, 0x2401, 0)
    return struct.unpack('Q', os.read(counter, 8))[0]
few, many = count(1000), count(101000)
print('perf', 10 < (many - few) / 100000 < 1000, few < many)
END
python3 /root/count.py
`;

/** The same under every image's kernel: registers its tests. `hasPerf`: the kernel has performance events. */
export function describeRootDisk(name: GuestImageName, { hasPerf }: { readonly hasPerf: boolean }): void {
  describe(`a root disk under the image ${name}`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'skein-root-disk-'));
    const disk = join(folder, 'root.img');

    beforeAll(async () => {
      await ensureGuestImage({ name });
      await buildRootDisk({
        path: disk,
        sizeMib: 384,
        packages: ['python3', 'redis-server', 'nginx', 'sqlite3'],
        lockFile: join(import.meta.dirname, 'root-disk.lock.json'),
      });
    }, 300_000);
    const children: ChildProcess[] = [];
    afterAll(() => {
      // Whatever failed: no guest outlives its tests.
      for (const child of children) child.kill('SIGKILL');
      rmSync(folder, { recursive: true });
    });

    /** Types the lines at the guest's prompt, one after the other, and returns all that it said when it is off. */
    async function run(script: string, diskArgument = disk): Promise<string> {
      const child = spawn(process.execPath, [
        ...[
          main,
          'machine',
          'run',
          '--image',
          name,
          '--memory',
          '384',
          '--disk',
          diskArgument,
          '--append',
          'root=/dev/vda',
        ],
      ]);
      children.push(child);
      let said = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      child.stdin.end(script);
      const [code] = (await once(child, 'close')) as [number | null];
      expect(code, said.slice(-2000)).toBe(0);
      expect(said).not.toMatch(/I\/O error|EXT4-fs error/);
      return said.replaceAll('\r', '');
    }

    it(
      'runs Python, SQLite, Redis and nginx of Debian, each at its work',
      async () => {
        const said = await run(`
cat > /root/work.py <<'END'
import hashlib, json, sqlite3
database = sqlite3.connect('/root/work.db')
database.execute('create table digests(number integer primary key, digest text)')
rows = ((number, hashlib.sha256(str(number).encode()).hexdigest()) for number in range(2000))
database.executemany('insert into digests values(?, ?)', rows)
database.commit()
print('python', json.dumps(database.execute('select count(*), min(digest) from digests').fetchone()))
END
python3 /root/work.py
${hasPerf ? countInstructions : ''}sqlite3 /root/work.db "select 'sqlite', sum(number), max(digest) from digests"
redis-server --daemonize yes --dir /root --save '' --appendonly no >/dev/null
until redis-cli ping 2>/dev/null | grep -q PONG; do sleep 0.2; done
redis-cli set greeting hello >/dev/null; echo "redis $(redis-cli get greeting)"
echo "redis $(redis-cli eval 'for i = 1, 1000 do redis.call("rpush", "list", i) end return redis.call("llen", "list")' 0)"
mkdir -p /var/www/html; echo served >/var/www/html/index.html
ln -s ../sites-available/default /etc/nginx/sites-enabled/default; nginx
echo "nginx $(wget -qO- http://127.0.0.1/)"
mount | grep ' / '
`);
        // Both sums follow from the numbers; the digests are those of coreutils here.
        expect(said).toMatch(/^python \[2000, "000[0-9a-f]{61}"\]$/m);
        // Linux drives the machine's counters through the SBI.
        if (hasPerf) expect(said).toMatch(/^perf True True$/m);
        expect(said).toMatch(/^sqlite\|1999000\|ff[0-9a-f]{62}$/m);
        expect(said).toMatch(/^redis hello$/m);
        expect(said).toMatch(/^redis 1000$/m);
        expect(said).toMatch(/^nginx served$/m);
        expect(said).toMatch(/^\/dev\/vda on \/ type ext4 \(rw/m);
      },
      bootMs,
    );

    it(
      'keeps what was written, sound, and is not written where it may only be read',
      async () => {
        // Sound, and left clean: nothing of a journal is to be done over.
        expect(execFileSync('/sbin/e2fsck', ['-f', '-n', disk], { encoding: 'utf8' })).not.toMatch(
          /recover/i,
        );
        const said = await run(
          'sqlite3 -readonly /root/work.db "select count(*) from digests"\ntouch /x\n',
          `${disk},ro`,
        );
        expect(said).toMatch(/^2000$/m);
        expect(said).toMatch(/touch: cannot touch '\/x': Read-only file system/);
      },
      bootMs,
    );
  });
}
