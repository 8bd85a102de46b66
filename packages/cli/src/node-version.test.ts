import { describe, expect, it } from 'vitest';
import { complaintAboutNode } from './node-version.ts';

describe('the version of Node', () => {
  it.each(['v18.19.0', 'v20.20.2', 'v22.18.0', 'v23.11.1', ''])(
    '%s is too old, and the message says what to do',
    (version) => {
      expect(complaintAboutNode(version)).toMatch(/node\.too-old.*pnpm@12 skein/);
    },
  );

  it.each(['v24.0.0', 'v24.21.0', 'v26.1.0', 'v100.0.0'])('%s will do', (version) => {
    expect(complaintAboutNode(version)).toBeNull();
  });
});
