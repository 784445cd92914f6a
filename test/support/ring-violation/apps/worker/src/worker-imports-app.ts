import '../../../../../../apps/api/src/app.module.js';
