import { OperationError } from '@skein/shared';
import { describe, expect, it } from 'vitest';
import { selectMany, selectOne } from './selection.ts';

const vms = { kind: 'vm', items: ['web', 'web1', 'web2', 'db1'], nameOf: (name: string) => name };

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof OperationError) return error.code;
    throw error;
  }
  return 'none';
}

describe('what a name on the command line means', () => {
  it('is the object of exactly that name, also when others begin with it', () => {
    expect(selectOne(vms, 'web')).toBe('web');
  });

  it('is the one object whose name begins with it', () => {
    expect(selectOne(vms, 'd')).toBe('db1');
    expect(selectOne(vms, 'vm/d')).toBe('db1');
    expect(selectOne(vms, 'vms/web2')).toBe('web2');
  });

  it('is refused when several names begin with it, naming them', () => {
    expect(codeOf(() => selectOne(vms, 'we'))).toBe('name.ambiguous');
    expect(() => selectOne(vms, 'we')).toThrow(/web, web1, web2/);
  });

  it('is not found when nothing begins with it, and the message says what there is', () => {
    expect(codeOf(() => selectOne(vms, 'x'))).toBe('vm.not-found');
    expect(() => selectOne(vms, 'x')).toThrow(/no vm is named x; there is db1, web/);
    expect(codeOf(() => selectOne(vms, ''))).toBe('vm.not-found');
  });

  it('is refused when it names another kind', () => {
    expect(codeOf(() => selectOne(vms, 'host/h1'))).toBe('request.invalid');
  });

  it('is a pattern with * and ?, in which nothing else is special', () => {
    expect(selectMany(vms, ['web?', 'd*'])).toEqual(['web1', 'web2', 'db1']);
    expect(codeOf(() => selectMany(vms, ['w.b*']))).toBe('vm.not-found');
    expect(selectMany(vms, [])).toEqual(vms.items);
  });
});
