import '../../../../../../../apps/api/src/routes/health/health.controller.js';
