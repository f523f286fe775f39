import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import ignore from 'ignore';
import { parse } from 'yaml';
import { z } from 'zod';
import { parseDuration } from '#shared/domain/duration';
import { loadConfig, type ServiceName } from '#shared/runtime/config';
import { ENVIRONMENT } from '#shared/runtime/environment';
import { testVariable } from './support/test-environment';

const ROOT = join(__dirname, '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const SERVICES: readonly ServiceName[] = ['gateway', 'scheduler', 'step-worker', 'metrics'];
const VIEWERS = ['prometheus', 'grafana'];

const container = z.object({
  image: z.string(),
  build: z.string().optional(),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.union([z.string(), z.number()])).default({}),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  read_only: z.boolean().optional(),
  cap_drop: z.array(z.string()).optional(),
  security_opt: z.array(z.string()).optional(),
  stop_grace_period: z.string().optional(),
  healthcheck: z.object({ test: z.array(z.string()).optional(), disable: z.boolean().optional() }).optional(),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
});
type Container = z.output<typeof container>;

const compose = z
  .object({ services: z.record(z.string(), container), volumes: z.record(z.string(), z.unknown()) })
  .parse(parse(read('docker-compose.yml'), { merge: true }));
const containers = Object.entries(compose.services);

const scrapes = z.object({
  scrape_configs: z.array(
    z.object({
      job_name: z.string(),
      static_configs: z.array(z.object({ targets: z.array(z.string()) })).optional(),
      dns_sd_configs: z
        .array(z.object({ names: z.array(z.string()), type: z.literal('A'), port: z.number() }))
        .optional(),
    }),
  ),
});

function containerOf(name: string): Container {
  const found = compose.services[name];
  if (!found) throw new Error(`docker-compose.yml has no service ${name}`);
  return found;
}

const environmentOf = ({ environment }: Container): Record<string, string> =>
  Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, String(value)]));

/** The instructions of the Dockerfile, each with its stage; continued lines are joined. */
function dockerfile(): { stage: number; word: string; rest: string }[] {
  let stage = -1;
  return read('Dockerfile')
    .replace(/\\\n\s*/g, ' ')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [word = '', ...rest] = line.split(' ');
      if (word === 'FROM') stage += 1;
      return { stage, word, rest: rest.join(' ') };
    });
}

const instructions = dockerfile();
const lastStage = Math.max(...instructions.map(({ stage }) => stage));
const inImage = instructions.filter(({ stage }) => stage === lastStage);

/** What the build takes from this folder: the sources of each COPY that names no other stage. */
const copied = instructions
  .filter(({ word, rest }) => word === 'COPY' && !rest.startsWith('--from='))
  .flatMap(({ stage, rest }) =>
    rest
      .split(' ')
      .slice(0, -1)
      .map((path) => ({ stage, path })),
  );

/** Whether the image holds that file of this folder: copied as it is, or built from a source. */
const isInImage = (path: string): boolean => {
  const source = /^dist\/(.*)\.js$/.exec(path)?.[1];
  if (source !== undefined) return existsSync(join(ROOT, `${source}.ts`));
  return existsSync(join(ROOT, path)) && copied.some((copy) => copy.stage === lastStage && path.startsWith(copy.path));
};

describe('docker-compose.yml', () => {
  it('has the two servers, the migration, the four services, Prometheus and Grafana', () => {
    expect(containers.map(([name]) => name).toSorted()).toEqual(
      ['migrate', 'nats', 'postgres', ...SERVICES, ...VIEWERS].toSorted(),
    );
  });

  it('publishes to this machine alone, each port once', () => {
    const ports = containers.flatMap(([, { ports: published }]) => published);
    expect(ports.length).toBeGreaterThan(3);
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
    expect(new Set(ports.map((port) => port.split(':')[1])).size).toBe(ports.length);
  });

  it.each(SERVICES)('tells %s only what it understands, and enough to start', (name) => {
    const service = containerOf(name);
    const env = environmentOf(service);
    const known = Object.keys(ENVIRONMENT.shape);
    for (const variable of Object.keys(env)) expect(known).toContain(variable);
    const config = loadConfig(name, { ...environmentOfImage(), ...env });
    expect(config.host).toBe('0.0.0.0');
    expect(service.command).toEqual(['node', `dist/apps/${name}/src/main.js`]);
    for (const published of service.ports) expect(published).toBe(`127.0.0.1:${config.port}:${config.port}`);
    expect(parseDuration(service.stop_grace_period ?? '')).toBeGreaterThanOrEqual(config.graceMs + 5_000);
    expect(new URL(config.databaseUrl).hostname).toBe('postgres');
    expect(new URL(config.natsUrl).hostname).toBe('nats');
  });

  it('reaches the database by the name and password that it is made with', () => {
    const { POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB } = environmentOf(containerOf('postgres'));
    for (const name of [...SERVICES, 'migrate']) {
      const url = new URL(environmentOf(containerOf(name)).DATABASE_URL ?? '');
      expect([url.username, url.password, url.pathname]).toEqual([POSTGRES_USER, POSTGRES_PASSWORD, `/${POSTGRES_DB}`]);
    }
  });

  it('lets the gateway be used without keys, with the line for keys beside', () => {
    expect(environmentOf(containerOf('gateway')).SLUICE_ALLOW_ANONYMOUS).toBe('true');
    expect(read('docker-compose.yml')).toMatch(/SLUICE_ALLOW_ANONYMOUS: 'true'\n\s+# SLUICE_API_KEYS: \S+/);
  });

  it.each([...SERVICES, 'migrate'])('runs %s from the one image, without rights, on files that are there', (name) => {
    const service = containerOf(name);
    expect(service).toMatchObject({ build: '.', image: 'sluice', read_only: true, cap_drop: ['ALL'] });
    const [program, script = ''] = service.command ?? [];
    expect(program).toBe('node');
    expect(isInImage(script)).toBe(true);
  });

  it.each(VIEWERS)('runs %s of a fixed version, without rights, on configurations that it cannot change', (name) => {
    const viewer = containerOf(name);
    expect(viewer).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
    expect(viewer.image).toMatch(/:v?\d+\.\d+\.\d+$/);
    for (const volume of viewer.volumes.filter((each) => each.startsWith('.'))) expect(volume).toMatch(/:ro$/);
    // What it keeps, it keeps in a volume of its own.
    expect(viewer.volumes.filter((each) => each.startsWith(`${name}:`))).toHaveLength(1);
    expect(viewer.healthcheck?.test?.at(-1)).toMatch(/^http:\/\/127\.0\.0\.1:/);
  });

  it('has Prometheus ask each service at its port, workers by all their addresses', () => {
    const { scrape_configs: jobs } = scrapes.parse(parse(read('deploy/prometheus/prometheus.yml')));
    expect(jobs.map(({ job_name: name }) => name).toSorted()).toEqual([...SERVICES].toSorted());
    for (const { job_name: name, static_configs: fixed, dns_sd_configs: found } of jobs) {
      const port = environmentOf(containerOf(name)).PORT ?? '';
      const asked = fixed ? fixed[0]?.targets : found?.flatMap((each) => each.names.map((at) => `${at}:${each.port}`));
      expect(asked).toEqual([`${name}:${port}`]);
    }
    expect(jobs.find(({ job_name: name }) => name === 'step-worker')?.dns_sd_configs).toHaveLength(1);
  });

  it('has Grafana show the dashboards that are there, to anybody and for nobody to change', () => {
    const grafana = containerOf('grafana');
    expect(environmentOf(grafana)).toMatchObject({
      GF_AUTH_ANONYMOUS_ENABLED: 'true',
      GF_AUTH_ANONYMOUS_ORG_ROLE: 'Viewer',
      GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION: 'true',
    });
    const home = environmentOf(grafana).GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH ?? '';
    expect(existsSync(join(ROOT, home.replace('/etc/grafana/', 'deploy/grafana/')))).toBe(true);
    expect(read('deploy/grafana/provisioning/dashboards/sluice.yml')).toContain('path: /etc/grafana/dashboards');
    expect(read('deploy/grafana/provisioning/datasources/prometheus.yml')).toContain('url: http://prometheus:9090');
  });

  it('waits for what exists, and for the health of what has a check', () => {
    for (const [, { depends_on: needs }] of containers) {
      for (const [name, { condition }] of Object.entries(needs)) {
        const needed = containerOf(name);
        if (condition === 'service_healthy') expect(needed.healthcheck?.test ?? needed.build).toBeDefined();
        else expect([name, condition]).toEqual(['migrate', 'service_completed_successfully']);
      }
    }
  });

  it('mounts volumes that are declared and files that are there', () => {
    for (const [name, { volumes }] of containers) {
      for (const volume of volumes) {
        const source = volume.replace(/\$\{SOURCES:-(.+?)\}/, '$1').split(':')[0] ?? '';
        const isThere = source.startsWith('.') ? existsSync(join(ROOT, source)) : source in compose.volumes;
        expect([name, source, isThere]).toEqual([name, source, true]);
      }
    }
    expect(containerOf('postgres').volumes).toEqual(['postgres:/var/lib/postgresql']);
  });
});

function environmentOfImage(): Record<string, string> {
  const pairs = inImage.filter(({ word }) => word === 'ENV').flatMap(({ rest }) => rest.split(/\s+/));
  return Object.fromEntries(pairs.map((pair) => pair.split('=') as [string, string]));
}

describe('the image', () => {
  it('is built in stages and runs as nobody in particular', () => {
    expect(lastStage).toBeGreaterThan(0);
    const user = inImage.filter(({ word }) => word === 'USER').at(-1)?.rest;
    expect(user).toBe('node');
  });

  it('copies what is there and what .dockerignore lets in, and lets in no more', () => {
    // Docker's patterns hold from the root; these make the same of git's
    const dockerignore = ignore().add(read('.dockerignore').replace(/^!(\w+)$/gm, '!$1\n!$1/**'));
    for (const { path } of copied) {
      expect([path, existsSync(join(ROOT, path))]).toEqual([path, true]);
      expect([path, dockerignore.ignores(path)]).toEqual([path, false]);
    }
    for (const path of [
      '.env',
      '.git/config',
      'node_modules/x',
      'apps/x/node_modules/y',
      'dist/x.js',
      '.sluice/x',
      'apps/.env',
    ]) {
      expect([path, dockerignore.ignores(path)]).toEqual([path, true]);
    }
  });

  it('checks its health with a program that it holds', () => {
    const check = inImage.find(({ word }) => word === 'HEALTHCHECK')?.rest ?? '';
    const [program, script] = JSON.parse(check.slice(check.indexOf('['))) as string[];
    expect(program).toBe('node');
    expect(isInImage(script ?? '')).toBe(true);
  });

  it.each([
    [200, 0],
    [503, 1],
  ])('is healthy or not as the service says (%i)', async (status, expectedCode) => {
    const asked: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url);
      response.writeHead(status).end('{}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const code = await probe(port);
    await new Promise((resolve) => server.close(resolve));
    expect(code).toBe(expectedCode);
    expect(asked).toEqual(['/health/ready']);
    await expect(probe(port)).resolves.toBe(1);
  });
});

const probe = (port: number): Promise<number | null> =>
  exitCodeOf(process.execPath, [join(ROOT, 'deploy/docker/probe.mjs')], { PORT: String(port) });

function exitCodeOf(program: string, args: string[], env: Record<string, string> = {}): Promise<number | null> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { env }, () => resolve(child.exitCode));
  });
}

describe('the configuration of nats-server', () => {
  const path = join(ROOT, 'deploy/nats/nats-server.conf');

  it('is one that nats-server takes', async () => {
    await expect(exitCodeOf(testVariable('natsServer'), ['-t', '-c', path])).resolves.toBe(0);
  });

  it('listens and stores where the containers look', () => {
    const text = read('deploy/nats/nats-server.conf');
    const nats = containerOf('nats');
    expect(text).toContain('listen: "0.0.0.0:4222"');
    expect(text).toContain('http: "0.0.0.0:8222"');
    expect(text).toContain('store_dir: "/data"');
    expect(nats.ports).toEqual(['127.0.0.1:4222:4222', '127.0.0.1:8222:8222']);
    expect(nats.volumes).toContain('nats:/data');
    expect(nats.healthcheck?.test?.at(-1)).toBe('http://127.0.0.1:8222/healthz?js-enabled-only=true');
  });
});
