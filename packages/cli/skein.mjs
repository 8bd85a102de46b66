#!/usr/bin/env node
// Starts `skein` from any Node: one that is too old for TypeScript is told so instead of failing on the first file.
const major = Number(process.versions.node.split('.')[0]);
if (major >= 24) {
  await import('./src/main.ts');
} else {
  process.stderr.write(
    `skein: Node ${process.version} is too old, 24 or newer is needed (node.too-old); ` +
      'start it as `npx --yes pnpm@12 skein`, which brings the right one along\n',
  );
  process.exitCode = 2;
}
