/**
 * PRECIS: how text that people type is prepared so that it can be compared (RFC 8264), in the two profiles for
 * usernames (RFC 8265). It knows no users: `libs/users` says what a username is, and the migration that gave old
 * usernames their keys asks here as well. There is no library of it on npm that follows these RFCs.
 */
export { PrecisError } from './precis-error.js';
export { usernameCaseMapped, usernameCasePreserved } from './username-profiles.js';
