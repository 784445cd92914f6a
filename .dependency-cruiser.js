/**
 * Who may import whom, and there is no other list: what is not here is an error. A room's own files are open to it;
 * of a library, others see only its door, `src/index.ts`. Relative imports and imports of types count.
 */
const EDGES = {
  // The kit: tools without our domain.
  'libs/calls': [],
  'libs/config': [],
  'libs/durable-files': [],
  'libs/errors': [],
  'libs/json': ['libs/errors'],
  'libs/micro-batching': [],
  'libs/observability': [],
  'libs/precis': [],
  'libs/database': ['libs/config', 'libs/observability'],
  'libs/inference': ['libs/calls', 'libs/errors', 'libs/micro-batching'],
  'libs/processes': ['libs/config', 'libs/observability'],
  'libs/scoring': ['libs/calls', 'libs/durable-files', 'libs/inference'],
  migrations: ['libs/precis'],

  // Features: what Foretell knows and does.
  'libs/users': ['libs/config', 'libs/database', 'libs/errors', 'libs/precis'],
  'libs/tokens': ['libs/users', 'libs/config', 'libs/errors', 'libs/observability'],
  'libs/models': [
    'libs/config',
    'libs/database',
    'libs/durable-files',
    'libs/errors',
    'libs/inference',
    'libs/observability',
  ],
  'libs/audit': ['libs/config', 'libs/database', 'libs/errors', 'libs/micro-batching', 'libs/observability'],
  'libs/predictions': [
    'libs/models',
    'libs/audit',
    'libs/database',
    'libs/errors',
    'libs/inference',
    'libs/json',
    'libs/micro-batching',
    'libs/observability',
  ],
  'libs/batches': [
    'libs/models',
    'libs/config',
    'libs/database',
    'libs/durable-files',
    'libs/errors',
    'libs/inference',
    'libs/scoring',
  ],

  // Processes. An app never imports an app.
  'apps/cli': ['libs/', 'migrations'],
  'apps/worker': ['libs/', 'migrations'],

  // The rooms of the API, from the bottom up.
  'apps/api/src/version.ts': [],
  'apps/api/src/server': ['libs/config', 'libs/database', 'libs/errors', 'libs/json', 'libs/observability'],
  'apps/api/src/guards': [
    'apps/api/src/server',
    'apps/api/src/openapi',
    'libs/errors',
    'libs/observability',
    'libs/tokens',
  ],
  'apps/api/src/openapi': [
    'apps/api/src/version.ts',
    'libs/config',
    'libs/errors',
    'libs/inference',
    'libs/json',
    'libs/models',
    'libs/predictions',
  ],
  ...route('audit', ['libs/audit', 'libs/users']),
  ...route('batches', ['libs/batches']),
  ...route('health', ['libs/config', 'libs/database', 'libs/models']),
  ...route('home', ['libs/config']),
  ...route('metrics', [
    'apps/api/src/routes/health',
    'libs/audit',
    'libs/batches',
    'libs/config',
    'libs/inference',
    'libs/models',
    'libs/observability',
    'libs/predictions',
    'libs/tokens',
  ]),
  ...route('models', ['libs/inference', 'libs/models', 'libs/predictions']),
  ...route('predictions', [
    'apps/api/src/routes/health',
    'apps/api/src/routes/metrics',
    'libs/config',
    'libs/inference',
    'libs/models',
    'libs/observability',
    'libs/predictions',
  ]),
  ...route('tokens', ['apps/api/src/routes/users', 'libs/tokens', 'libs/users']),
  ...route('users', ['libs/config', 'libs/users']),
  'apps/api/src/app.module.ts': [
    'apps/api/src/routes/',
    'apps/api/src/openapi',
    'apps/api/src/guards',
    'apps/api/src/server',
    'libs/',
  ],
  'apps/api/src/boot.ts': [
    'apps/api/src/app.module.ts',
    'apps/api/src/routes/metrics',
    'apps/api/src/server/draining.ts',
    'apps/api/src/version.ts',
    'libs/config',
    'libs/database',
    'libs/models',
    'libs/observability',
    'migrations',
  ],
  'apps/api/src/processes': [
    'apps/api/src/boot.ts',
    'apps/api/src/routes/batches/worker-beside.ts',
    'libs/config',
    'libs/database',
    'libs/errors',
    'libs/observability',
    'libs/processes',
    'migrations',
  ],
  'apps/api/src/main.ts': [
    'apps/api/src/processes',
    'apps/api/src/boot.ts',
    'libs/config',
    'libs/observability',
    'libs/processes',
  ],
};

/** What every route may import, and what only this one does. */
function route(feature, others) {
  const shared = ['server', 'guards', 'openapi', 'version.ts'].map((room) => `apps/api/src/${room}`);
  return { [`apps/api/src/routes/${feature}`]: [...shared, 'libs/errors', ...others] };
}

/** A tree like ours, with a file for each rule that breaks it: test/acceptance/rings.spec.ts. */
const VIOLATIONS = '(?:test/support/ring-violation/)?';

const escaped = (path) => path.replaceAll('.', String.raw`\.`);
/** A file, or everything in a folder. */
const roomPath = (room) => `^${VIOLATIONS}${escaped(room)}(?:/|$)`;
/** What others see of it: of a library its door; `libs/` stands for all of them. */
const doorPath = (room) =>
  room.startsWith('libs/')
    ? String.raw`^${VIOLATIONS}${room === 'libs/' ? 'libs/[^/]+' : room}/src/index\.ts$`
    : roomPath(room.replace(/\/$/, ''));
const OURS = `^${VIOLATIONS}(?:apps|libs|migrations)/`;

const rooms = Object.entries(EDGES).map(([room, others]) => ({
  name: room,
  severity: 'error',
  comment: 'This edge is not in .dependency-cruiser.js. Arrows point down (docs/architecture.md).',
  from: { path: roomPath(room) },
  to: { path: OURS, pathNot: [roomPath(room), ...others.map(doorPath)] },
}));

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...rooms,
    {
      name: 'a room without a line',
      severity: 'error',
      comment: 'Every room has a line in .dependency-cruiser.js.',
      from: { path: OURS, pathNot: Object.keys(EDGES).map(roomPath) },
      to: {},
    },
    {
      name: 'a circle',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no framework under models and files',
      severity: 'error',
      comment: 'libs/inference and libs/scoring run in a ten-line script and in a worker thread.',
      from: { path: `^${VIOLATIONS}libs/(?:inference|scoring)/` },
      to: { path: 'node_modules/(?:@nestjs|typeorm|pg|@types/pg)/' },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { conditionNames: ['source', 'import', 'node', 'default', 'types'] },
    doNotFollow: { path: ['node_modules', 'dist', '^test/(?!support/ring-violation)'] },
    exclude: { path: ['^apps/trainer/'] },
  },
};
