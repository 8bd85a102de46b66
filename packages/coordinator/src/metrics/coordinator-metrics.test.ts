import { coordinatorMetrics } from '@skein/metrics';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { metricsToken, TestCluster } from '../testing/test-cluster.ts';

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.start(2);
});
afterAll(() => cluster.close());

const authorization = `Bearer ${Buffer.from(metricsToken).toString('hex')}`;

async function scrape(): Promise<string> {
  const response = await cluster.fetch('GET', '/metrics', undefined, { authorization });
  expect(response.status).toBe(200);
  return response.text();
}

/** The value of a series, undefined if it is not there. */
function valueIn(text: string, series: string): number | undefined {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

describe('the coordinator’s metrics', () => {
  it('are all of its catalogue', async () => {
    const text = await scrape();
    for (const { name, type } of Object.values(coordinatorMetrics)) {
      expect(text).toContain(`# TYPE ${name} ${type}\n`);
    }
  });

  it('show hosts, VMs, operations and events as they are', async () => {
    await cluster.boot('web1', 'h1');
    const text = await scrape();
    expect(valueIn(text, 'skein_hosts{state="connected"}')).toBe(2);
    expect(valueIn(text, 'skein_hosts{state="failed"}')).toBe(0);
    expect(valueIn(text, 'skein_host_state{host="h2",state="connected"}')).toBe(1);
    expect(valueIn(text, 'skein_vms{state="running"}')).toBe(1);
    expect(valueIn(text, 'skein_operations_active{kind="vm-start"}')).toBe(0);
    const ended = 'skein_operation_duration_seconds_count{kind="vm-start",outcome="succeeded"}';
    expect(valueIn(text, ended)).toBe(1);
    expect(valueIn(text, 'skein_events_total{type="operation.succeeded"}')).toBe(1);
    expect(valueIn(text, 'skein_host_heartbeat_age_seconds{host="h1"}')).toBeLessThan(5);
  });

  it('time the heartbeats of each host', async () => {
    const beats = 'skein_heartbeat_lateness_seconds_count{host="h1"}';
    await cluster.eventually('heartbeats are counted', async () => (valueIn(await scrape(), beats) ?? 0) > 2);
  });

  it('count requests by route, method and status, whatever paths strangers think of', async () => {
    await cluster.fetch('GET', '/v1/vms/nobody');
    for (const path of ['/v1/vms', '/a', '/b', '/v1/vms/x/y']) {
      await cluster.fetch('GET', path, undefined, { authorization: 'Bearer nothing' });
    }
    const text = await scrape();
    const requests = (route: string, status: number): number | undefined =>
      valueIn(text, `skein_api_requests_total{method="GET",route="${route}",status="${status}"}`);
    expect(requests('/v1/vms/:name', 404)).toBe(1);
    expect(requests('/v1/vms', 401)).toBe(1);
    expect(requests('none', 401)).toBe(3);
    expect(valueIn(text, 'skein_api_request_duration_seconds_count{route="/metrics"}')).toBeGreaterThan(1);
  });

  it('forget a host that was removed for good', async () => {
    cluster.addAgent(3);
    const beats = 'skein_heartbeat_lateness_seconds_count{host="h3"}';
    await cluster.eventually('h3 is timed', async () => (valueIn(await scrape(), beats) ?? 0) > 0);
    cluster.agent('h3').kill();
    await cluster.eventually('h3 is removed', async () => {
      return (await cluster.fetch('DELETE', '/v1/hosts/h3')).ok;
    });
    expect(await scrape()).not.toContain('host="h3"');
  });

  it('time a failover in its phases', async () => {
    await cluster.boot('web2', 'h2');
    const failures = 'skein_events_total{type="host.failed"}';
    const before = valueIn(await scrape(), failures) ?? 0;
    cluster.agent('h2').kill();
    await cluster.running('web2', 'h1');
    const detected = 'skein_ha_failover_seconds_count{phase="detection"}';
    await cluster.eventually('it is counted', async () => (valueIn(await scrape(), detected) ?? 0) === 1);
    const text = await scrape();
    expect(valueIn(text, 'skein_ha_failover_seconds_sum{phase="total"}')).toBeGreaterThan(0.2);
    expect(valueIn(text, 'skein_host_state{host="h2",state="failed"}')).toBe(1);
    expect(valueIn(text, failures)).toBe(before + 1);
  });

  it('can be read with the API’s token too, and only be read', async () => {
    expect((await cluster.fetch('GET', '/metrics')).status).toBe(200);
    const posted = await cluster.fetch('POST', '/metrics', {});
    expect(posted.status).toBe(405);
    expect(posted.headers.get('allow')).toBe('GET');
  });

  it('come with a token that reads them and the list of hosts, and is refused everywhere else', async () => {
    const targets = await cluster.fetch('GET', '/v1/scrape-targets', undefined, { authorization });
    expect(targets.headers.get('content-type')).toBe('application/json');
    expect(await targets.json()).toEqual(
      ['h1', 'h2'].map((host) => ({ targets: ['127.0.0.1:7130'], labels: { instance: host, host } })),
    );
    for (const [method, path] of [
      ['GET', '/v1/vms'],
      ['GET', '/openapi.json'],
      ['GET', '/metrics/x'],
      ['POST', '/metrics'],
      ['DELETE', '/v1/vms/web1'],
      ['POST', '/v1/scrape-targets'],
    ] as const) {
      const refused = await cluster.fetch(method, path, undefined, { authorization });
      expect(refused.status, `${method} ${path}`).toBe(403);
      expect(await refused.json()).toMatchObject({ code: 'request.forbidden' });
    }
  });
});
