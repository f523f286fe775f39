/*
 * The boundaries of the design. `npm run boundaries` checks them; test/architecture.spec.ts shows that each one fires.
 * Imports of types count: who needs another part's types knows that part.
 */
const SPEC = '\\.spec\\.ts$';
const FOLDER = (name) => `^libs/shared/src/${name}/`;
/** What they take from their packages is as pure as the domain: text in, times or words out. */
const CRON = `${FOLDER('domain')}schedule/cron(-words)?\\.ts$`;
const PACKAGE = (names) => `(^|node_modules/)(${names})(/|$)`;

const forbidden = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    forbidden(
      'no-cycles',
      'Two files that need each other are one, or have a third in common.',
      {},
      { circular: true },
    ),
    forbidden(
      'resolvable',
      'What is imported is there, and named in package.json; what the build makes is there only after it.',
      {},
      { couldNotResolve: true, pathNot: '/dist/(apps|libs)/' },
    ),
    forbidden(
      'listed-packages',
      'A package that is only there because another one needs it may be gone tomorrow.',
      {},
      { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    ),
    forbidden(
      'no-dev-packages-in-the-product',
      'The product runs without its development packages.',
      // The dashboard is built before it runs.
      { path: '^(apps|libs)/', pathNot: [SPEC, '^apps/dashboard/'] },
      { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    ),
    forbidden(
      'domain-is-pure',
      'The domain imports nothing but the domain.',
      { path: FOLDER('domain'), pathNot: [SPEC, CRON] },
      {
        pathNot: FOLDER('domain'),
      },
    ),
    forbidden(
      'cron-reads-cron',
      'Two files of the domain ask the libraries of cron, and nothing else.',
      { path: CRON },
      { pathNot: [FOLDER('domain'), PACKAGE('croner|cronstrue')] },
    ),
    forbidden(
      'cron-in-one-place',
      'When a cron is due is asked of the domain, which knows the rules for changed clocks.',
      { path: '^(apps|libs)/', pathNot: CRON },
      { path: PACKAGE('croner|cronstrue') },
    ),
    forbidden(
      'contracts-know-only-the-domain',
      'The contracts import the domain and the schema library.',
      { path: FOLDER('contracts'), pathNot: SPEC },
      { pathNot: [FOLDER('contracts'), FOLDER('domain'), PACKAGE('zod')] },
    ),
    forbidden(
      'postgres-only-in-store',
      'Everything Postgres is in the store.',
      { path: '^(apps|libs)/', pathNot: [FOLDER('store'), SPEC] },
      { path: PACKAGE('typeorm|pg|@types/pg') },
    ),
    forbidden(
      'nats-only-in-bus',
      'Everything NATS is in the bus.',
      { path: '^(apps|libs)/', pathNot: [FOLDER('bus'), SPEC] },
      { path: PACKAGE('nats') },
    ),
    forbidden(
      'store-without-bus',
      'The store does not know the bus.',
      { path: FOLDER('store') },
      { path: FOLDER('bus') },
    ),
    forbidden(
      'bus-without-store',
      'The bus does not know the store.',
      { path: FOLDER('bus') },
      { path: FOLDER('store') },
    ),
    forbidden(
      'libs-know-no-app',
      'What is shared knows none of those who share it.',
      { path: '^libs/' },
      { path: '^apps/' },
    ),
    forbidden(
      'apps-are-strangers',
      'Services speak by messages; no app imports another.',
      { path: '^apps/([^/]+)/' },
      { path: '^apps/', pathNot: '^apps/$1/' },
    ),
    forbidden(
      'product-without-tests',
      'The product imports nothing of its tests.',
      { path: '^(apps|libs)/', pathNot: SPEC },
      { path: ['^test/', SPEC] },
    ),
    forbidden(
      'metrics-writes-no-jobs',
      'The metrics service reads: jobs are written by those who own the turn.',
      { path: '^apps/metrics/' },
      { path: '^libs/shared/src/store/jobs/' },
    ),
    forbidden(
      'dashboard-is-a-client',
      'A browser runs it: of the services it knows the shapes of answers, and pure rules.',
      { path: '^apps/dashboard/', pathNot: SPEC },
      { path: '^libs/shared/src/', pathNot: [FOLDER('domain'), FOLDER('contracts')] },
    ),
    forbidden(
      'dashboard-takes-types-of-contracts',
      'Schemas would bring their library to the browser.',
      { path: '^apps/dashboard/', pathNot: SPEC },
      { path: FOLDER('contracts'), dependencyTypesNot: ['type-only'] },
    ),
    forbidden(
      'cli-is-a-client',
      'The CLI speaks to the REST API alone.',
      { path: '^apps/cli/', pathNot: SPEC },
      { path: [FOLDER('store'), FOLDER('bus')] },
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // What is built here: the packages that keep their code in a dist/ of their own are looked at.
    exclude: { path: '^dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['require', 'node', 'default', 'types'] },
  },
};
