import { describe, expect, it } from 'vitest';
import type { MetricCatalogue } from './definition.ts';
import { MetricRegistry } from './metric-registry.ts';

const metrics = {
  vms: { name: 'skein_vms', type: 'gauge', help: 'VMs.', unit: null, labels: { name: 'a name' } },
  steps: {
    name: 'skein_steps_total',
    type: 'counter',
    help: 'Steps.',
    unit: null,
    labels: { name: 'a name' },
  },
  requests: { name: 'skein_requests_total', type: 'counter', help: 'Requests.', unit: null, labels: {} },
  wait: {
    name: 'skein_wait_seconds',
    type: 'histogram',
    help: 'Waits.',
    unit: 'seconds',
    labels: {},
    buckets: [0.1, 1],
  },
} as const satisfies MetricCatalogue;

/** Lines of our own metrics. */
async function lines(registry: MetricRegistry<typeof metrics>): Promise<string[]> {
  return (await registry.text()).split('\n').filter((line) => line.startsWith('skein_'));
}

describe('a metric registry', () => {
  it('keeps what is counted and observed, and reads the rest anew at each scrape', async () => {
    const registry = new MetricRegistry(metrics);
    const vms = new Map([
      ['web1', 10],
      ['web2', 20],
    ]);
    registry.onScrape((set) => {
      for (const [name, steps] of vms) {
        set('vms', { name }, 1);
        set('steps', { name }, steps);
      }
    });
    registry.count('requests', {});
    registry.count('requests', {}, 2);
    registry.observe('wait', {}, 0.5);
    expect(await lines(registry)).toEqual([
      'skein_vms{name="web1"} 1',
      'skein_vms{name="web2"} 1',
      'skein_steps_total{name="web1"} 10',
      'skein_steps_total{name="web2"} 20',
      'skein_requests_total 3',
      'skein_wait_seconds_bucket{le="0.1"} 0',
      'skein_wait_seconds_bucket{le="1"} 1',
      'skein_wait_seconds_bucket{le="+Inf"} 1',
      'skein_wait_seconds_sum 0.5',
      'skein_wait_seconds_count 1',
    ]);
    vms.delete('web1');
    vms.set('web2', 25);
    expect((await lines(registry)).slice(0, 3)).toEqual([
      'skein_vms{name="web2"} 1',
      'skein_steps_total{name="web2"} 25',
      'skein_requests_total 3',
    ]);
    vms.clear();
    expect((await lines(registry))[0]).toBe('skein_requests_total 3');
  });

  it('has a series that is expected before anything happened', async () => {
    const registry = new MetricRegistry(metrics);
    registry.expect('requests', {});
    registry.expect('wait', {});
    expect(await lines(registry)).toContain('skein_requests_total 0');
    expect(await lines(registry)).toContain('skein_wait_seconds_count 0');
    registry.count('requests', {});
    expect(await lines(registry)).toContain('skein_requests_total 1');
  });

  it('gives scrapers that come together one reading', async () => {
    const registry = new MetricRegistry(metrics);
    let readings = 0;
    registry.onScrape((set) => set('vms', { name: 'all' }, ++readings));
    const [one, other] = await Promise.all([registry.text(), registry.text()]);
    expect(one).toBe(other);
    expect(readings).toBe(1);
  });

  it('writes label values that a guest or a person chose as the format wants them', async () => {
    const registry = new MetricRegistry(metrics);
    registry.onScrape((set) => set('vms', { name: 'a"b\\c\nd' }, 1));
    expect(await lines(registry)).toContain('skein_vms{name="a\\"b\\\\c\\nd"} 1');
  });

  it('has the process and its event loop too', async () => {
    const text = await new MetricRegistry(metrics).text();
    for (const name of [
      'process_cpu_seconds_total',
      'nodejs_eventloop_lag_p99_seconds',
      'process_resident_memory_bytes',
    ])
      expect(text).toMatch(new RegExp(`^${name} `, 'm'));
  });
});
