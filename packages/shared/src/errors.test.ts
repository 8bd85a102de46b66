import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { errorKinds, exitCodes, fromProblem, OperationError, toProblem } from './errors.ts';

const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8');

describe('error codes', () => {
  it('have a heading each in docs/errors.md, and every heading is a code', () => {
    const headings = [...page.matchAll(/^## (.+)$/gm)].map((match) => match[1]);
    expect(headings.toSorted()).toEqual(Object.keys(errorKinds).toSorted());
  });

  it('stand there with the kind and exit code that they have', () => {
    for (const [code, kind] of Object.entries(errorKinds)) {
      const section = page.slice(page.indexOf(`## ${code}\n`)).split('\n## ')[0] ?? '';
      expect(section, code).toContain(`Kind: ${kind}; exit code ${exitCodes[kind]}.`);
    }
  });

  it('cross a socket with message and details', () => {
    const error = new OperationError({ code: 'lease.held', message: 'held', details: { host: 'h1' } });
    const back = fromProblem(toProblem(error));
    expect(back).toMatchObject({
      code: 'lease.held',
      message: 'held',
      details: { host: 'h1' },
      kind: 'refused',
    });
  });

  it('call everything else internal', () => {
    expect(toProblem(new TypeError('oops'))).toEqual({ code: 'internal', message: 'oops', details: {} });
    expect(toProblem('text').code).toBe('internal');
  });
});
