/**
 * Tokens: a password is exchanged for a signed JWT, and a JWT for the account behind it. It knows no HTTP routes.
 * Called by `apps/api`; it asks `libs/users` who may act.
 */
export { TokensModule } from './tokens.module.js';
export { TokensService } from './tokens.service.js';
export { VerifiedTokens } from './verified-tokens.js';
export { JWT_STRATEGY } from './jwt.strategy.js';
