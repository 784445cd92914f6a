/**
 * People and their accounts: registration, roles, enabling, disabling, removing, what a username is, and the in-memory
 * directory that says who may act now. It knows no tokens and no HTTP. Called by `libs/tokens`, `apps/api` and `apps/cli`.
 */
export { User } from './user.entity.js';
export { userEntities, UsersModule } from './users.module.js';
export { UsersService, type NewUser } from './users.service.js';
export { UserDirectory, type Account } from './user-directory.js';
export {
  MAX_LOGIN_PASSWORD_LENGTH,
  MAX_PASSWORD_BYTES,
  Passwords,
  type HashingPurpose,
} from './passwords.js';
export {
  findUsernameProblem,
  MAX_LOGIN_USERNAME_LENGTH,
  MAX_USERNAME_LENGTH,
  usernameKeys,
} from './username.js';
export { findEmailProblem, MAX_EMAIL_LENGTH } from './email.js';
export { AttemptCounts } from './attempt-counts.js';
