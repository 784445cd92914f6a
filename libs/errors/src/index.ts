/**
 * The one table of errors, and the type that says who is calling.
 *
 * Every refusal in Foretell is a `Problem`: a row of the table plus what this occasion has to say. It knows
 * nothing of HTTP servers; `apps/api` turns it into `application/problem+json`, `apps/cli` into a line on stderr.
 */
export { ERRORS, type ErrorCode } from './error-table.js';
export { problemJson, type ProblemForm } from './problem-form.js';
export { Problem, type FieldError } from './problem.js';
export { ROLES, type Actor, type Role } from './actor.js';
