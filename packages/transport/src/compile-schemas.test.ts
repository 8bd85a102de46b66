import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { compileSchemas } from './compile-schemas.ts';

// zod tries once whether it may write functions at all.
z.strictObject({}).parse({});

/** Made anew for each test: what was compiled stays so. */
const protocol = () => {
  const Nested = z.strictObject({ count: z.int() });
  return {
    name: 'example',
    roles: { dialer: ['agent'], listener: ['coordinator'] },
    fromDialer: {
      requests: {
        ask: {
          request: z.strictObject({ one: Nested, more: z.array(z.strictObject({ name: z.string() })) }),
          reply: z.strictObject({ maybe: z.strictObject({ at: z.number() }).nullable().default(null) }),
        },
      },
      notices: {},
    },
    fromListener: {
      requests: {},
      notices: { said: z.union([z.strictObject({ left: Nested }), z.strictObject({ right: z.boolean() })]) },
    },
  };
};

type Example = ReturnType<typeof protocol>;

const bodies = ({ fromDialer, fromListener }: Example): [z.ZodType, unknown][] => [
  [fromDialer.requests.ask.request, { one: { count: 1 }, more: [{ name: 'a' }] }],
  [fromDialer.requests.ask.reply, { maybe: { at: 1 } }],
  [fromListener.notices.said, { left: { count: 1 } }],
  [fromListener.notices.said, { right: true }],
];

describe('schemas compiled ahead', () => {
  const { Function: realFunction } = globalThis;
  let written = 0;

  beforeEach(() => {
    written = 0;
    // What zod writes goes through here.
    globalThis.Function = class extends realFunction {
      constructor(...parts: string[]) {
        super(...parts);
        written += 1;
      }
    } as FunctionConstructor;
  });
  afterEach(() => {
    globalThis.Function = realFunction;
  });

  it('check their first object with a function that is there already, as deep as it goes', () => {
    const example = protocol();
    compileSchemas(example);
    expect(written).toBe(7);
    written = 0;
    for (const [schema, body] of bodies(example)) expect(schema.parse(body)).toEqual(body);
    expect(written).toBe(0);
  });

  it('would have it written by their first objects else', () => {
    for (const [schema, body] of bodies(protocol())) schema.parse(body);
    expect(written).toBe(7);
  });

  it('are compiled once, however many links there are', () => {
    let looks = 0;
    const said = z.strictObject({ name: z.string().optional() }).refine(() => {
      looks += 1;
      return true;
    });
    const fromListener = { requests: {}, notices: { said } };
    const example = { ...protocol(), fromListener };
    compileSchemas(example);
    compileSchemas(example);
    expect(looks).toBe(1);
  });
});
