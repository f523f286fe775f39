import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { findProgram } from './support/programs';

const ROOT = join(__dirname, '..');
const PROMETHEUS = join(ROOT, 'deploy/prometheus');
const DASHBOARDS = join(ROOT, 'deploy/grafana/dashboards');
/** promtool is quick; the machine may not be. */
const PROMTOOL_LIMIT_MS = 300_000;

/** What the metrics service serves, with its labels. A histogram has `_bucket` (with `le`), `_sum` and `_count`. */
const PLAIN: Readonly<Record<string, readonly string[]>> = {
  sluice_jobs_total: ['pipeline', 'status'],
  sluice_jobs: ['status'],
  sluice_step_attempts_total: ['pipeline', 'step', 'outcome'],
  sluice_step_retries_total: ['pipeline', 'step', 'kind'],
  sluice_queue_depth: ['queue', 'state'],
  sluice_oldest_ready_seconds: ['queue'],
  sluice_tokens_available: ['pool'],
  sluice_workers: [],
  sluice_dead_letters: [],
  sluice_telemetry_age_seconds: [],
};
const HISTOGRAMS: Readonly<Record<string, readonly string[]>> = {
  sluice_step_duration_seconds: ['pipeline', 'step'],
  sluice_step_cpu_percent: ['pipeline', 'step'],
  sluice_step_memory_bytes: ['pipeline', 'step'],
  sluice_job_duration_seconds: ['pipeline', 'status'],
  sluice_job_wait_seconds: ['pipeline'],
  sluice_schedule_lateness_seconds: [],
};
/** Those of Prometheus itself and of prom-client, as far as they are used. */
const OTHERS = [
  'up',
  'ALERTS',
  'process_cpu_seconds_total',
  'process_resident_memory_bytes',
  'nodejs_eventloop_lag_p99_seconds',
];
const SERIES = new Map([
  ...Object.entries(PLAIN),
  ...Object.entries(HISTOGRAMS).flatMap(([name, labels]): [string, readonly string[]][] => [
    [`${name}_bucket`, [...labels, 'le']],
    [`${name}_sum`, labels],
    [`${name}_count`, labels],
  ]),
]);
const SCRAPED = ['job', 'instance'];

const rule = z.strictObject({
  alert: z.string(),
  expr: z.string(),
  for: z.string(),
  labels: z.strictObject({ severity: z.enum(['critical', 'warning']) }),
  annotations: z.strictObject({
    summary: z.string().min(10),
    cause: z.string().min(10),
    remedy: z.string().min(10),
    runbook: z.string().min(50),
  }),
});
const rules = z
  .object({ groups: z.tuple([z.object({ rules: z.array(rule) })]) })
  .parse(parse(readFileSync(join(PROMETHEUS, 'alerts.yml'), 'utf8'))).groups[0].rules;

const panel = z.object({
  id: z.number(),
  type: z.string(),
  title: z.string().min(1),
  gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
  targets: z.array(z.object({ expr: z.string() })).default([]),
});
const dashboard = z.object({
  uid: z.string().min(1),
  title: z.string().min(1),
  schemaVersion: z.number().min(39),
  panels: z.array(panel).min(1),
  links: z.array(z.object({ url: z.string() })),
  templating: z.object({
    list: z.array(z.object({ name: z.string(), type: z.string(), definition: z.string().optional() })),
  }),
});
const dashboards = readdirSync(DASHBOARDS).map((file) => ({
  file,
  ...dashboard.parse(JSON.parse(readFileSync(join(DASHBOARDS, file), 'utf8'))),
}));

/** What Grafana puts in. */
const filledIn = (expr: string): string => expr.replace(/\$__(rate_interval|range)/g, '5m').replace(/\$\w+/g, 'x');

const expressions = [
  ...rules.map(({ alert, expr }) => ({ where: alert, expr })),
  ...dashboards.flatMap(({ file, panels }) =>
    panels.flatMap(({ title, targets }) =>
      targets.map(({ expr }) => ({ where: `${file}: ${title}`, expr: filledIn(expr) })),
    ),
  ),
];

const QUERY_WORDS = ['by', 'without', 'and', 'or', 'sum', 'max', 'count', 'vector'];

/** Every series that an expression asks for, with the labels that it is chosen by. */
function seriesOf(expr: string): { name: string; labels: string[] }[] {
  const bare = expr.replace(/\b(by|without) \([^)]*\)/g, '');
  return [...bare.matchAll(/([a-zA-Z_]\w*)\b(?!\s*\()(\{[^}]*\})?(?![^{]*\})/g)]
    .filter(([, name = '']) => !QUERY_WORDS.includes(name) && !/^\d*[smhd]$/.test(name))
    .map(([, name = '', chosen = '']) => ({
      name,
      labels: [...chosen.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"/g)].map(([, label = '']) => label),
    }));
}

describe('the dashboards and alerts', () => {
  it.each(expressions)('ask only for what there is: $where', ({ expr }) => {
    const asked = seriesOf(expr);
    expect(asked.length).toBeGreaterThan(0);
    for (const { name, labels } of asked) {
      const known = SERIES.get(name);
      expect([name, known !== undefined || OTHERS.includes(name)]).toEqual([name, true]);
      if (known) for (const label of labels) expect([...known, ...SCRAPED]).toContain(label);
    }
    const words = expr.match(/\bsluice_\w+/g) ?? [];
    for (const word of words) expect([...SERIES.keys()]).toContain(word);
  });

  it('show every series of the metrics service', () => {
    const shown = expressions.map(({ expr }) => expr).join('\n');
    for (const name of [...Object.keys(PLAIN), ...Object.keys(HISTOGRAMS)]) expect(shown).toContain(name);
  });

  it('are told in docs/monitoring.md', () => {
    const text = readFileSync(join(ROOT, 'docs/monitoring.md'), 'utf8');
    const names = [...Object.keys(PLAIN), ...Object.keys(HISTOGRAMS), ...rules.map(({ alert }) => alert)];
    for (const name of names) expect(text).toContain(`\`${name}`);
    for (const [name] of text.matchAll(/\bsluice_[a-z_]+\b/g)) {
      expect([...SERIES.keys(), ...Object.keys(HISTOGRAMS)]).toContain(name);
    }
  });

  it('are tested: each alert both fires and keeps still', () => {
    const tests = z
      .object({
        tests: z.array(
          z.object({ promql_expr_test: z.array(z.object({ expr: z.string(), exp_samples: z.array(z.unknown()) })) }),
        ),
      })
      .parse(parse(readFileSync(join(PROMETHEUS, 'alerts.test.yml'), 'utf8')))
      .tests.flatMap((each) => each.promql_expr_test);
    for (const { alert } of rules) {
      const ofAlert = tests.filter(({ expr, exp_samples: samples }) =>
        samples.length > 0
          ? JSON.stringify(samples).includes(`\\"${alert}\\", alertstate=\\"firing\\"`)
          : expr.includes(alert),
      );
      expect([alert, ofAlert.some(({ exp_samples: samples }) => samples.length > 0)]).toEqual([alert, true]);
      expect([alert, ofAlert.some(({ exp_samples: samples }) => samples.length === 0)]).toEqual([alert, true]);
    }
  });
});

describe.each(dashboards)('the dashboard $file', ({ panels, templating, links }) => {
  it('has panels that do not overlap, each with a number of its own and something to ask', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, index) => `${x + (index % w)},${y + Math.floor(index / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    for (const { gridPos } of panels) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
    for (const { type, targets } of panels) expect(targets.length > 0).toBe(type !== 'row');
  });

  it('uses variables that it has, and leads to dashboards that are there', () => {
    const names = templating.list.map(({ name }) => name);
    const used = JSON.stringify(panels).match(/\$\{?(?!__)\w+/g) ?? [];
    for (const name of used) expect(names).toContain(name.replace(/\$\{?/, ''));
    for (const { url } of links) expect(dashboards.map(({ uid }) => `/d/${uid}`)).toContain(url);
    for (const { definition } of templating.list) {
      if (definition === undefined) continue;
      const [, series = '', label = ''] = /^label_values\((\w+).*, (\w+)\)$/.exec(definition) ?? [];
      expect(SERIES.get(series)).toContain(label);
    }
  });
});

function runPromtool(program: string, args: readonly string[]): Promise<{ code: number | null; said: string }> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { cwd: PROMETHEUS }, (_, stdout, stderr) =>
      resolve({ code: child.exitCode, said: stdout + stderr }),
    );
  });
}

describe('promtool', () => {
  const promtool = findProgram('promtool');
  if (promtool === null) {
    it('was not run: there is none on the PATH', () => {
      process.stderr.write(
        'not run: promtool on deploy/prometheus and the dashboards: no promtool on the PATH (Debian: apt install prometheus)\n',
      );
    });
    return;
  }

  it.each([
    ['takes the configuration and the rules', ['check', 'config', 'prometheus.yml']],
    ['finds that the alerts fire when they should and not when they should not', ['test', 'rules', 'alerts.test.yml']],
  ])(
    '%s',
    async (_, args) => {
      const { code, said } = await runPromtool(promtool, args);
      if (code !== 0) throw new Error(said);
    },
    PROMTOOL_LIMIT_MS,
  );

  it(
    'understands each expression of the dashboards',
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'sluice-promtool-'));
      const check = async (exprs: readonly string[]): Promise<{ code: number | null; said: string }> => {
        const path = join(folder, 'rules.yml');
        const asRules = exprs.map((expr, index) => ({ record: `expression_${index}`, expr }));
        await writeFile(path, stringify({ groups: [{ name: 'expressions', rules: asRules }] }));
        return runPromtool(promtool, ['check', 'rules', path]);
      };
      try {
        const { code, said } = await check(expressions.map(({ expr }) => expr));
        if (code !== 0) throw new Error(said);
        expect((await check(['sum(rate(sluice_jobs_total[5m])'])).code).not.toBe(0);
      } finally {
        await rm(folder, { recursive: true });
      }
    },
    PROMTOOL_LIMIT_MS,
  );
});
