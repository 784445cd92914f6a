/**
 * Tokens: a password is exchanged for a signed JWT, and a JWT for the account behind it. It knows no HTTP routes.
 * Called by `apps/api`; it asks `libs/users` who may act.
 */
export { TokensModule } from './tokens.module.js';
export { TokensService } from './tokens.service.js';
export { tokenIn } from './token-verifier.js';
export { InvalidToken, type TokenFault } from './invalid-token.js';
