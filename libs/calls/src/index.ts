/**
 * Calls to a thread or a process of ours: both sides of the conversation, without the channel it takes. It knows
 * nothing of what is asked. Called by `libs/inference` and `libs/scoring`.
 */
export { answerInTurn, Calls, type Reply } from './calls.js';
