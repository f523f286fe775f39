import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import { ENVIRONMENT, ENVIRONMENT_OF_OTHERS } from '#shared/runtime/environment';

const ROOT = join(__dirname, '..');
const CRUISER = join(ROOT, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
const run = promisify(execFile);

/** For each boundary, files that break it: the first one breaks it, the others are there to be imported. */
const TRESPASSES: Readonly<Record<string, readonly (readonly [path: string, source: string])[]>> = {
  'no-cycles': [
    [
      'libs/shared/src/runtime/one.ts',
      "import { two } from '#shared/runtime/two'; export const one = (): unknown => two;",
    ],
    [
      'libs/shared/src/runtime/two.ts',
      "import { one } from '#shared/runtime/one'; export const two = (): unknown => one;",
    ],
  ],
  resolvable: [['apps/gateway/src/gone.ts', "import '#shared/runtime/not-there';"]],
  'listed-packages': [['apps/gateway/src/unlisted.ts', "import 'fastify';"]],
  'no-dev-packages-in-the-product': [['apps/gateway/src/dev.ts', "import 'fast-check';"]],
  'domain-is-pure': [['libs/shared/src/domain/impure.ts', "import 'node:crypto';"]],
  'cron-reads-cron': [['libs/shared/src/domain/schedule/cron-words.ts', "import 'node:crypto';"]],
  'cron-in-one-place': [['apps/scheduler/src/cron.ts', "import { Cron } from 'croner'; export { Cron };"]],
  'contracts-know-only-the-domain': [['libs/shared/src/contracts/wide.ts', "import '#shared/runtime/clean';"]],
  'postgres-only-in-store': [
    ['apps/scheduler/src/sql.ts', "import type { DataSource } from 'typeorm'; export type D = DataSource;"],
  ],
  'nats-only-in-bus': [['libs/shared/src/runtime/nats.ts', "import { connect } from 'nats'; export { connect };"]],
  'store-without-bus': [['libs/shared/src/store/publishes.ts', "import '#shared/bus/clean';"]],
  'bus-without-store': [['libs/shared/src/bus/stores.ts', "import '#shared/store/clean';"]],
  'libs-know-no-app': [['libs/shared/src/runtime/app.ts', "import '../../../../apps/gateway/src/clean';"]],
  'apps-are-strangers': [['apps/scheduler/src/neighbour.ts', "import '../../gateway/src/clean';"]],
  'product-without-tests': [['apps/gateway/src/tested.ts', "import '../../../test/clean';"]],
  'metrics-writes-no-jobs': [['apps/metrics/src/writes.ts', "import '#shared/store/jobs/clean';"]],
  'dashboard-is-a-client': [['apps/dashboard/src/direct.ts', "import '#shared/runtime/clean';"]],
  'dashboard-takes-types-of-contracts': [['apps/dashboard/src/schemas.ts', "import '#shared/contracts/clean';"]],
  'cli-is-a-client': [['apps/cli/src/direct.ts', "import '#shared/store/clean';"]],
};

/** Files that keep within every boundary. */
const LAWFUL: readonly (readonly [path: string, source: string])[] = [
  ['libs/shared/src/domain/clean.ts', 'export const value = 1;'],
  ['libs/shared/src/domain/clean.spec.ts', "import 'fast-check'; import '#shared/domain/clean';"],
  ['libs/shared/src/domain/schedule/cron.ts', "import 'croner'; import '#shared/domain/clean';"],
  ['libs/shared/src/contracts/clean.ts', "import 'zod'; import '#shared/domain/clean';"],
  ['libs/shared/src/runtime/clean.ts', "import 'pino'; import 'node:path'; import '#shared/contracts/clean';"],
  ['libs/shared/src/store/clean.ts', "import 'typeorm'; import 'pg'; import '#shared/contracts/clean';"],
  ['libs/shared/src/store/jobs/clean.ts', "import '#shared/store/clean';"],
  ['libs/shared/src/bus/clean.ts', "import 'nats'; import '#shared/contracts/clean';"],
  ['apps/gateway/src/clean.ts', "import '#shared/store/jobs/clean'; import '#shared/bus/clean'; import './beside';"],
  ['apps/gateway/src/beside.ts', 'export {};'],
  ['apps/metrics/src/clean.ts', "import '#shared/store/clean';"],
  ['apps/cli/src/clean.ts', "import '#shared/contracts/clean';"],
  [
    'apps/dashboard/src/clean.tsx',
    "import 'react'; import '#shared/domain/clean'; import type * as shapes from '#shared/contracts/clean'; export type S = typeof shapes;",
  ],
  ['test/clean.ts', "import 'pg'; import 'nats'; import '../apps/gateway/src/clean';"],
];

interface Violation {
  readonly rule: { readonly name: string };
  readonly from: string;
}

/** What the project's own boundary rules say of a tree of these files. */
async function violationsOf(files: readonly (readonly [path: string, source: string])[]): Promise<Violation[]> {
  const tree = await mkdtemp(join(tmpdir(), 'sluice-boundaries-'));
  try {
    for (const [path, source] of files) {
      await mkdir(dirname(join(tree, path)), { recursive: true });
      await writeFile(join(tree, path), source);
    }
    for (const file of ['tsconfig.json', 'package.json', '.dependency-cruiser.cjs'])
      await cp(join(ROOT, file), join(tree, file));
    await symlink(join(ROOT, 'node_modules'), join(tree, 'node_modules'));
    const args = [CRUISER, '--config', '.dependency-cruiser.cjs', '--output-type', 'json', 'apps', 'libs', 'test'];
    const { stdout } = await run(process.execPath, args, { cwd: tree, maxBuffer: 64 * 1024 * 1024 });
    return (JSON.parse(stdout) as { summary: { violations: Violation[] } }).summary.violations;
  } finally {
    await rm(tree, { recursive: true, force: true });
  }
}

async function sourcesUnder(folder: string): Promise<string[]> {
  const entries = await readdir(join(ROOT, folder), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).split(sep).join('/'));
}

describe('the boundaries', () => {
  it('let through what keeps within them', async () => {
    await expect(violationsOf(LAWFUL)).resolves.toEqual([]);
  }, 60_000);

  it('each fire at a file that breaks them', async () => {
    const violations = await violationsOf([...LAWFUL, ...Object.values(TRESPASSES).flat()]);
    const trespassers = Object.entries(TRESPASSES).map(([rule, [trespasser]]) => [rule, trespasser?.[0]]);
    for (const [rule, from] of trespassers) {
      expect(violations).toContainEqual(
        expect.objectContaining({ from, rule: expect.objectContaining({ name: rule }) as unknown }),
      );
    }
  }, 60_000);

  it('are all shown to fire', async () => {
    const config = await readFile(join(ROOT, '.dependency-cruiser.cjs'), 'utf8');
    const rules = [...config.matchAll(/forbidden\(\s*'([a-z-]+)'/g)].map(([, name]) => name);
    expect(rules.length).toBeGreaterThan(10);
    expect(rules.toSorted()).toEqual(Object.keys(TRESPASSES).toSorted());
  });
});

describe('the layout', () => {
  it('keeps what is shared in five folders', async () => {
    const folders = (await readdir(join(ROOT, 'libs/shared/src'))).toSorted();
    expect(folders).toEqual(['bus', 'contracts', 'domain', 'runtime', 'store']);
  });

  it('has no folder that says nothing and no file that only passes others on', async () => {
    const sources = (await Promise.all(['apps', 'libs', 'test'].map(sourcesUnder))).flat();
    expect(sources.length).toBeGreaterThan(10);
    const nameless = sources.filter((path) => /(^|\/)(utils?|common|helpers?|types|misc|lib)\//.test(path));
    expect(nameless).toEqual([]);
    expect(sources.filter((path) => basename(path) === 'index.ts')).toEqual([]);
  });
});

describe('the README', () => {
  it('lists every variable of the environment that people may set, and no other', async () => {
    const known = [...Object.keys(ENVIRONMENT.shape), ...ENVIRONMENT_OF_OTHERS];
    const forPeople = known.filter((name) => !name.startsWith('SLUICE_INTERNAL_'));
    const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
    const listed = [...readme.matchAll(/^\| `([A-Z][A-Z_]+)` +\|/gm)].map(([, name]) => name);
    expect(listed.toSorted()).toEqual(forPeople.toSorted());
  });
});
