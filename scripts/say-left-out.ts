/** What `pnpm test` leaves out, and how to run it. */
console.log(
  '\nLeft out: the container tests. They need Docker with its compose plugin: npx --yes pnpm@12 test:compose',
);
