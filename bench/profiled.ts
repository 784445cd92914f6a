/** Runs the program that `PROFILED` names, and on request takes a profile of it. Messages over its channel: `begin`, `end`. */
import { Session, type Profiler } from 'node:inspector';

/** In microseconds. The default, 1000, sees too little of a request. */
const SAMPLE_EVERY = 200;

const session = new Session();
session.connect();
session.post('Profiler.enable');
session.post('Profiler.setSamplingInterval', { interval: SAMPLE_EVERY });
process.on('message', (message) => {
  if (message === 'begin') session.post('Profiler.start');
  if (message === 'end')
    session.post('Profiler.stop', (error: Error | null, { profile }: Profiler.StopReturnType) => {
      if (error) throw error;
      process.send!({ profile });
    });
});

// oxlint-disable-next-line node/no-process-env -- a program of the bench
await import(process.env.PROFILED!);
