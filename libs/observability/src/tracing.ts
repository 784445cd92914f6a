import type { Attributes, Context, Span as OtelSpan, Tracer, TracerProvider } from '@opentelemetry/api';
import pTimeout from 'p-timeout';
import type { Logger } from './logger.js';

type Api = typeof import('@opentelemetry/api');

export interface TracingOptions {
  exporter: 'otlp' | 'console';
  protocol: 'http/protobuf' | 'http/json';
  serviceName: string;
  serviceVersion: string;
}

/** The collector may be down when we end. */
const CLOSE_LIMIT_MS = 2_000;

/** A piece of work for one request, from beginning to end. Never has a token, a name or an input as an attribute. */
export class Span {
  constructor(
    private readonly api: Api,
    private readonly tracer: Tracer,
    private readonly context: Context,
    private readonly span: OtelSpan,
  ) {}

  child(name: string, attributes?: Attributes): Span {
    const span = this.tracer.startSpan(name, { attributes }, this.context);
    return new Span(this.api, this.tracer, this.api.trace.setSpan(this.context, span), span);
  }

  set(attributes: Attributes): void {
    this.span.setAttributes(attributes);
  }

  fail(): void {
    this.span.setStatus({ code: this.api.SpanStatusCode.ERROR });
  }

  end(): void {
    this.span.end();
  }
}

/**
 * OpenTelemetry traces, if they are requested: spans are made by hand where the work is done, not by
 * instrumentation that changes the libraries we use. If tracing is off, none of it is loaded, and code that
 * would make a span has no parent to make it from.
 */
export class Tracing {
  private constructor(
    private readonly api: Api,
    private readonly provider: TracerProvider & { shutdown(): Promise<void> },
    private readonly readParent: (headers: object) => Context,
    private readonly tracer: Tracer,
  ) {}

  static async open(options: TracingOptions, logger: Logger): Promise<Tracing> {
    const [{ default: api }, { default: core }, { default: sdk }, { default: resources }] = await Promise.all(
      [
        import('@opentelemetry/api'),
        import('@opentelemetry/core'),
        import('@opentelemetry/sdk-trace-base'),
        import('@opentelemetry/resources'),
      ],
    );
    core.setGlobalErrorHandler((error) => {
      const message = typeof error === 'string' ? error : error instanceof Error ? error.message : 'unknown';
      logger.warn({ reason: message }, 'traces cannot be sent');
    });
    const resource = resources
      .defaultResource()
      .merge(
        resources.resourceFromAttributes({
          'service.name': options.serviceName,
          'service.version': options.serviceVersion,
        }),
      )
      .merge(resources.detectResources({ detectors: [resources.envDetector] }));
    const provider = new sdk.BasicTracerProvider({
      resource,
      spanProcessors: [new sdk.BatchSpanProcessor(await openExporter(options))],
    });
    const propagator = new core.W3CTraceContextPropagator();
    const readParent = (headers: object) =>
      propagator.extract(api.ROOT_CONTEXT, headers, api.defaultTextMapGetter);
    return new Tracing(api, provider, readParent, provider.getTracer('foretell', options.serviceVersion));
  }

  /** Continues the trace that the request's `traceparent` names, or begins one. */
  begin(name: string, headers: object, attributes: Attributes): Span {
    const { api } = this;
    const parent = this.readParent(headers);
    const span = this.tracer.startSpan(name, { kind: api.SpanKind.SERVER, attributes }, parent);
    return new Span(api, this.tracer, api.trace.setSpan(parent, span), span);
  }

  /** Sends what has not been sent yet, as far as time allows. */
  async close(): Promise<void> {
    const done = this.provider.shutdown().catch(() => undefined);
    await pTimeout(done, { milliseconds: CLOSE_LIMIT_MS, message: false });
  }
}

/** Endpoint, headers, certificates and time limits are read from the environment by the exporters themselves. */
async function openExporter({ exporter, protocol }: TracingOptions) {
  if (exporter === 'console') {
    const { ConsoleSpanExporter } = await import('@opentelemetry/sdk-trace-base');
    return new ConsoleSpanExporter();
  }
  const { OTLPTraceExporter } =
    protocol === 'http/json'
      ? await import('@opentelemetry/exporter-trace-otlp-http')
      : await import('@opentelemetry/exporter-trace-otlp-proto');
  return new OTLPTraceExporter();
}

/** The work gets a span of its own if the request is traced. */
export function traced<T>(parent: Span | undefined, name: string, work: () => T, attributes?: Attributes): T {
  if (!parent) return work();
  const span = parent.child(name, attributes);
  const failed = (error: unknown): never => {
    span.fail();
    span.end();
    throw error;
  };
  try {
    const result = work();
    const ended = <Value>(value: Value) => {
      span.end();
      return value;
    };
    return result instanceof Promise ? (result.then(ended, failed) as T) : ended(result);
  } catch (error) {
    return failed(error);
  }
}
