/** Which Node runs Skein. Imports nothing: it is asked before anything else is loaded. */
export const nodeMajorMin = 24;

/** What to say to someone whose Node is too old (code node.too-old), or null. `version` as in process.version. */
export function complaintAboutNode(version: string): string | null {
  const major = Number(/^v(\d+)\./.exec(version)?.[1] ?? 0);
  if (major >= nodeMajorMin) return null;
  return (
    `Node ${version} is too old, ${nodeMajorMin} or newer is needed (node.too-old); ` +
    'start it as `npx --yes pnpm@12 skein`, which brings the right one along'
  );
}
