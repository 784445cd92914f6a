/**
 * Calls to one of our threads or processes: both sides of the conversation, without its channel. It does not know
 * what is asked. Called by `libs/inference` and `libs/scoring`.
 */
export { answerInTurn, Calls, type Reply } from './calls.js';
