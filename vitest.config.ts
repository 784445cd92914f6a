import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { defineConfig, type Plugin } from 'vitest/config';

const root = fileURLToPath(new URL('.', import.meta.url));

export default defineConfig({
  plugins: [decorators()],
  resolve: {
    // The source, not what was built last.
    alias: [
      { find: /^#libs\/([^/]+)$/, replacement: `${root}libs/$1/src/index.ts` },
      { find: '#migrations', replacement: `${root}migrations/index.ts` },
    ],
  },
  test: {
    globalSetup: ['test/support/database-cluster.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // What is waited for comes when it comes, also on a busy machine.
    expect: { poll: { timeout: 45_000 } },
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          // `npm test`, in three minutes: functions, and HTTP against a service that is started once per file.
          name: 'quick',
          include: ['{apps,libs}/**/*.spec.ts', 'test/e2e/**/*.e2e-spec.ts'],
          exclude: ['**/*.acceptance.spec.ts'],
        },
      },
      {
        extends: true,
        test: {
          // `npm run test:acceptance`: processes that are started, replaced and killed, limits as long as they are.
          name: 'acceptance',
          include: ['test/acceptance/**/*.spec.ts', 'libs/**/*.acceptance.spec.ts'],
        },
      },
    ],
  },
});

/** Nest reads from the types of a constructor's parameters what to hand in. Vite's own transform drops them; the compiler does not. */
function decorators(): Plugin {
  const compilerOptions = {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.ESNext,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    sourceMap: true,
  };
  return {
    name: 'decorators',
    enforce: 'pre',
    transform(code, fileName) {
      if (!fileName.endsWith('.ts') || !code.includes('@Injectable()')) return undefined;
      const { outputText, sourceMapText } = ts.transpileModule(code, { compilerOptions, fileName });
      return { code: outputText, map: sourceMapText };
    },
  };
}
