import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, PATIENT } from '../support/client.js';
import { createFolder } from '../support/folders.js';
import { Samples } from '../support/metrics.js';
import { prepareService } from '../support/prepared-service.js';
import { requirePrometheus, startPrometheus, type PrometheusServer } from '../support/prometheus-server.js';

const RULES = 'deploy/prometheus';

interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { refId: string; expr: string }[];
}

const dashboard = JSON.parse(readFileSync('deploy/grafana/foretell.json', 'utf8')) as {
  schemaVersion: number;
  uid: string;
  templating: { list: { name: string }[] };
  panels: Panel[];
};
const queries = dashboard.panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ refId, expr }) => [`${title} ${refId}`, expr] as const),
);

const metricsIn = (text: string) =>
  new Set(text.match(/\b(foretell|nodejs|process)_[a-z0-9_]+(?=[\s{[)/`]|$)/gm) ?? []);

beforeAll(requirePrometheus);
const { api, user } = prepareService({ METRICS_PORT: '0' });

/** A bit of everything that a dashboard may show. */
async function useService(): Promise<void> {
  await Promise.all([
    ...Array.from({ length: 10 }, () => call(api, 'POST', '/predict', { body: PATIENT, token: user.token })),
    call(api, 'POST', '/predict', { body: {}, token: 'nonsense' }),
    call(api, 'POST', '/token', { body: { username: 'nobody', password: 'x' } }),
    call(api, 'GET', '/%zz'),
    call(api, 'GET', '/nowhere'),
  ]);
}

describe('promtool', () => {
  test('accepts configuration and rules, and each alert fires when it should', () => {
    execFileSync('promtool', ['check', 'config', 'prometheus.yml'], { cwd: RULES, encoding: 'utf8' });
    execFileSync('promtool', ['test', 'rules', 'alerts.test.yml'], { cwd: RULES, encoding: 'utf8' });
    const named = (file: string, pattern: RegExp) =>
      new Set([...readFileSync(join(RULES, file), 'utf8').matchAll(pattern)].map(([, name]) => name));
    const fired = named('alerts.test.yml', /labels:\s*['"]?[^\n]*ALERTS\{alertname="(\w+)"/g);
    expect(fired).toEqual(named('alerts.yml', /- alert: (\w+)/g));
  });

  test('has no complaints about the service’s metrics', async () => {
    await useService();
    const { text } = await Samples.read(api);
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text });
    expect(status, `${stdout}${stderr}`).toBe(0);
  });
});

test('every metric that the dashboard, the alerts or their test name is exported by the service', async () => {
  await useService();
  const { names } = await Samples.read(api);
  const rules = readFileSync(join(RULES, 'alerts.yml'), 'utf8');
  const used = metricsIn([...queries.map(([, expr]) => expr), rules].join('\n'));
  expect(used.size).toBeGreaterThan(15);
  expect([...used].filter((name) => !names.has(name))).toEqual([]);
  const tested = metricsIn(readFileSync(join(RULES, 'alerts.test.yml'), 'utf8'));
  expect([...tested].filter((name) => !names.has(name))).toEqual([]);
});

test('docs/metrics.md names every metric of ours, and no other, with its type', async () => {
  const { text } = await Samples.read(api);
  const told = [...text.matchAll(/^# TYPE (foretell_\w+) (\w+)$/gm)].map(
    ([, name, type]) => `${name} ${type}`,
  );
  const rows = readFileSync('docs/metrics.md', 'utf8').matchAll(/^\| `(foretell_\w+)`\s*\| (\w+)/gm);
  const documented = [...rows].map(([, name, type]) => `${name} ${type}`);
  expect(documented.toSorted()).toEqual(told.toSorted());
});

test('the dashboard is valid for Grafana: its own ids, panels that do not overlap, no unknown variable', () => {
  const { panels, templating, schemaVersion, uid } = dashboard;
  expect(uid).toBe('foretell');
  expect(schemaVersion).toBeGreaterThanOrEqual(39);
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  for (const { title, gridPos: a } of panels) {
    expect(a.x + a.w, title).toBeLessThanOrEqual(24);
    for (const { gridPos: b } of panels) {
      const apart = a === b || a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
      expect(apart, title).toBe(true);
    }
  }
  const known = ['__rate_interval', '__range', ...templating.list.map(({ name }) => name)];
  const used = queries.flatMap(([, expr]) => [...expr.matchAll(/\$\{?(\w+)/g)].map(([, name]) => name!));
  expect(used.filter((name) => !known.includes(name))).toEqual([]);
});

describe('a Prometheus with the example configuration', () => {
  const folder = createFolder();
  let prometheus: PrometheusServer;
  beforeAll(async () => {
    cpSync(join(RULES, 'alerts.yml'), join(folder, 'alerts.yml'));
    const example = readFileSync(join(RULES, 'prometheus.yml'), 'utf8');
    const { host } = new URL(api.metricsUrl!);
    const config = example.replace('127.0.0.1:9464', host).replaceAll('15s', '1s');
    if (config === example) throw new Error('the example names another address than this test replaces');
    writeFileSync(join(folder, 'prometheus.yml'), config);
    prometheus = await startPrometheus(join(folder, 'prometheus.yml'));
  });
  afterAll(() => prometheus?.stop());

  test('answers every query of the dashboard, with a value', async () => {
    const asked = queries.map(([title, expr]) => {
      const expression = expr
        .replaceAll('$__rate_interval', '1m')
        .replaceAll('$__range', '1h')
        .replaceAll('$job', 'foretell');
      return { title, expression, found: false };
    });
    expect(asked.length).toBeGreaterThan(20);
    // A rate needs two scrapes with requests in between: we use the service until every query has a number.
    const withoutValue = async () => {
      await useService();
      for (const query of asked.filter(({ found }) => !found)) {
        const { values, error } = await prometheus.query(query.expression);
        expect(error, query.title).toBeUndefined();
        query.found = values.some((value) => Number.isFinite(value));
      }
      return asked.filter(({ found }) => !found).map(({ title }) => title);
    };
    await expect.poll(withoutValue, { timeout: 50_000, interval: 500 }).toEqual([]);
  });

  test('has loaded the alerts, and none of them fires while everything is healthy', async () => {
    const { data } = await prometheus.get('/api/v1/rules');
    const rules = data.groups.flatMap((group: { rules: object[] }) => group.rules) as {
      name: string;
      health: string;
      state: string;
    }[];
    expect(rules.length).toBeGreaterThanOrEqual(9);
    await expect
      .poll(async () => {
        const { data } = await prometheus.get('/api/v1/rules');
        return data.groups[0].rules.map(({ health }: { health: string }) => health);
      })
      .toEqual(rules.map(() => 'ok'));
    expect(rules.filter(({ state }) => state === 'firing')).toEqual([]);
  });
});
