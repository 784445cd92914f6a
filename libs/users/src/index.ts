/**
 * People and their accounts: registration, roles, enabling, disabling, removing, and the in-memory directory that
 * says who may act now. It knows no tokens and no HTTP. Called by `libs/tokens`, `apps/api` and `apps/cli`.
 */
export { User } from './user.entity.js';
export { UsersModule } from './users.module.js';
export { UsersService, type NewUser } from './users.service.js';
export { UserDirectory } from './user-directory.js';
export { Passwords } from './passwords.js';
