/**
 * What pairs are counted in: Debian's kernel and Debian's programs at ordinary work, none of it written for a benchmark
 * of machines.
 */

export interface CountedProgram {
  readonly name: string;
  /** One line of shell; what it needs is made first, uncounted. */
  readonly prepare?: string;
  readonly line: string;
}

const pythonWork = [
  'import json, re',
  'words = {}',
  'text = open("/root/text").read()',
  'for word in re.findall("[a-z0-9]+", text): words[word] = words.get(word, 0) + 1',
  'rows = sorted(words.items(), key=lambda row: (-row[1], row[0]))',
  'print(len(json.dumps(rows)), sum(len(json.loads(json.dumps(row))[0]) for row in rows[:2000]))',
].join('\\n');

const text = `i=0; while [ $i -lt 4000 ]; do echo "line $i of $((i * 7919 % 4001)) words and $((i * 31 % 97)) more"; i=$((i + 1)); done > /root/text`;

/** Beside those that a root disk has anyway. */
export const countedPackages: readonly string[] = ['bc', 'bzip2', 'openssl', 'xz-utils', 'zstd'];

export const countedPrograms: readonly CountedProgram[] = [
  { name: 'shell', line: text },
  { name: 'sort', line: 'sort -k4n /root/text | uniq -f5 | sort -r | tail -n1' },
  { name: 'compress', line: 'busybox gzip -c /root/text | busybox gunzip -c | cmp - /root/text' },
  { name: 'xz', line: 'xz -3 -c /root/text | xz -dc | cmp - /root/text' },
  { name: 'bzip2', line: 'bzip2 -c /root/text | bunzip2 -c | cmp - /root/text' },
  { name: 'zstd', line: 'zstd -9 -qc /root/text | zstd -dqc | cmp - /root/text' },
  { name: 'digest', line: 'sha256sum /root/text; md5sum /root/text; sha512sum /root/text' },
  {
    name: 'openssl',
    line: 'openssl enc -aes-256-cbc -pbkdf2 -pass pass:x -in /root/text -out /root/secret; openssl genrsa -out /root/key 1024 2>/dev/null; openssl dgst -sha3-256 /root/text',
  },
  {
    name: 'bc',
    line: `echo 'scale=300; 4*a(1); for (i = 1; i < 400; i++) s += i^7 / (i + 1); s' | bc -l | tail -n1`,
  },
  {
    name: 'awk',
    line: `busybox awk '{ s += $2 * $4; n[$7]++ } END { for (k in n) t += n[k]; print s, t }' /root/text`,
  },
  {
    name: 'grep',
    line: `busybox grep -c 'of .*9 words' /root/text; busybox sed -n 's/of \\([0-9]*\\)1/\\1/p' /root/text | tail -n1`,
  },
  {
    name: 'python',
    prepare: `printf '${pythonWork}\\n' > /root/work.py`,
    line: 'python3 /root/work.py',
  },
  {
    name: 'sqlite',
    line: `sqlite3 :memory: "create table t(a integer primary key, b text, c integer); with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000) insert into t select i, hex(i * 7919), i % 97 from n; create index c on t(c, b); select c, count(*), max(b) from t group by c order by 3 limit 3; select count(*) from t x join t y on y.a = x.a + 5 where x.b like '%7%'"`,
  },
  {
    name: 'redis',
    prepare:
      "redis-server --daemonize yes --dir /root --save '' --appendonly no >/dev/null; until redis-cli ping 2>/dev/null | grep -q PONG; do sleep 0.2; done",
    line: `redis-cli eval 'for i = 1, 20000 do redis.call("zadd", "z", i * 7919 % 20011, "m" .. i); redis.call("hset", "h", i % 512, i) end return redis.call("zcard", "z")' 0`,
  },
  {
    name: 'nginx',
    prepare:
      'mkdir -p /var/www/html; cp /root/text /var/www/html/index.html; ln -sf ../sites-available/default /etc/nginx/sites-enabled/default; nginx',
    line: 'i=0; while [ $i -lt 20 ]; do busybox wget -qO- http://127.0.0.1/ | tail -n1 >/dev/null; i=$((i + 1)); done',
  },
];
