/**
 * PRECIS (RFC 8264) prepares text that people type, so that it can be compared; these are its two profiles for usernames
 * (RFC 8265). It knows nothing of users. Called by `libs/users` and by the migration that gave existing users their keys.
 * No library on npm implements these RFCs.
 */
export { PrecisError } from './precis-error.js';
export { usernameCaseMapped, usernameCasePreserved } from './username-profiles.js';
