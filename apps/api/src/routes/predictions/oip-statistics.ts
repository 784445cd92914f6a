import type { Snapshot } from '#libs/observability';

interface Spent {
  count: number;
  ns: number;
}

interface VersionStatistics {
  name: string;
  version: string;
  last_inference: number;
  inference_count: number;
  execution_count: number;
  inference_stats: Record<
    | 'success'
    | 'fail'
    | 'queue'
    | 'compute_input'
    | 'compute_infer'
    | 'compute_output'
    | 'cache_hit'
    | 'cache_miss',
    Spent
  >;
}

export interface OipStatistics {
  model_stats: VersionStatistics[];
}

/**
 * What Triton calls a model's statistics, from what the processes measured. `queue` and the parts of `compute` cover
 * answered calls; `success` includes their record as well.
 * https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_statistics.md
 */
export function oipStatistics(
  snapshots: readonly Snapshot[],
  model: string,
  versions: readonly string[],
): OipStatistics {
  return { model_stats: versions.map((version) => statisticsOf(snapshots, model, version)) };
}

/** The versions that were asked since the processes started. */
export function versionsAsked(snapshots: readonly Snapshot[], model: string): string[] {
  const calls = samplesOf(snapshots, 'foretell_model_calls_total').filter(
    ({ labels }) => labels.model === model,
  );
  return [...new Set(calls.map(({ labels }) => String(labels.version)))];
}

function statisticsOf(snapshots: readonly Snapshot[], model: string, version: string): VersionStatistics {
  const find = (metric: string, labels: Record<string, string> = {}, sample = metric) =>
    samplesOf(snapshots, metric)
      .filter((each) => (each.metricName ?? metric) === sample)
      .filter((each) => matches(each.labels, { model, version, ...labels }))
      .map(({ value }) => value);
  const sum = (...of: Parameters<typeof find>) => find(...of).reduce((total, value) => total + value, 0);

  const called = (result: string) => ({
    count: sum('foretell_model_calls_total', { result }),
    ns: nanoseconds(sum('foretell_model_call_seconds_total', { result })),
  });
  const success = called('answered');
  const phase = (name: string) => ({
    count: success.count,
    ns: nanoseconds(sum('foretell_model_phase_seconds_total', { phase: name })),
  });
  const none = { count: 0, ns: 0 };
  const runs = 'foretell_inference_duration_seconds';
  return {
    name: model,
    version,
    last_inference: Math.round(Math.max(0, ...find('foretell_model_last_answer_timestamp_seconds')) * 1000),
    inference_count: sum('foretell_model_answered_rows_total'),
    execution_count: sum(runs, {}, `${runs}_count`),
    inference_stats: {
      success,
      fail: called('refused'),
      queue: phase('queue'),
      compute_input: phase('coerce'),
      compute_infer: phase('infer'),
      compute_output: phase('write'),
      // There is no cache.
      cache_hit: none,
      cache_miss: none,
    },
  };
}

const nanoseconds = (seconds: number) => Math.round(seconds * 1e9);

const samplesOf = (snapshots: readonly Snapshot[], metric: string) =>
  snapshots.flatMap((each) => each.find(({ name }) => name === metric)?.values ?? []);

function matches(labels: Record<string, unknown>, wanted: Record<string, string>): boolean {
  return Object.entries(wanted).every(([name, value]) => labels[name] === value);
}
