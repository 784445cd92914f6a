import '../../../apps/cli/src/app-imports-app.js';
