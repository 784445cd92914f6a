/**
 * The only reader of the process's environment: one schema, read once at boot, every bad variable reported at
 * once, frozen, injected. Secrets that a local start needs are generated once into `DATA_DIR`.
 */
export { CONFIG, ConfigError, loadConfig, type Config } from './config.js';
export { bareEnvironment, childEnvironment } from './environment.js';
export { ConfigModule } from './config.module.js';
export { findWeakness, readOrCreateSecret } from './secrets.js';
export type { TrustedProxies } from './trusted-proxies.js';
