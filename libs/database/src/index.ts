/**
 * Access to PostgreSQL: an embedded server without `DATABASE_URL`, the TypeORM data source, migrations,
 * and change notifications between processes. It depends on no feature: the process passes in entities and migrations.
 */
export { openDatabase, prepareDatabase, type OpenDatabase } from './open-database.js';
export { AlreadyServed, EmbeddedPostgres } from './embedded-postgres.js';
export { createDataSource, poolOf, queryPatiently } from './data-source.js';
export { BinaryArrays } from './binary-arrays.js';
export { HeldConnection } from './held-connection.js';
export { migrate, migrateDatabase } from './migrate.js';
export { restrictions, restrictPublic } from './public-privileges.js';
export { ChangeListener } from './change-listener.js';
export { DatabaseModule } from './database.module.js';
export { isMissingPartition, isUnavailable, isUniqueViolation } from './postgres-errors.js';
