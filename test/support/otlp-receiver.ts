import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'vitest';

export interface ReceivedSpan {
  traceId: string;
  spanId: string;
  /** '' for a root span. */
  parentSpanId: string;
  name: string;
  attributes: Record<string, string>;
}

export type OtlpReceiver = Awaited<ReturnType<typeof startOtlpReceiver>>;

/** Receives traces by OTLP over HTTP, as JSON or as protobuf, like a collector. */
export async function startOtlpReceiver() {
  const types = new Set<string>();
  const bodies: Buffer[] = [];
  const spans: ReceivedSpan[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const type = request.headers['content-type'] ?? '';
    if (request.method !== 'POST' || request.url !== '/v1/traces') {
      response.writeHead(404).end();
      return;
    }
    types.add(type);
    bodies.push(body);
    spans.push(...(type === 'application/json' ? fromJson(body) : fromProtobuf(body)));
    response.writeHead(200, { 'content-type': type }).end(type === 'application/json' ? '{}' : '');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const find = (requestId: string) => spans.find(({ attributes }) => attributes.request_id === requestId);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Media types, and everything that was ever sent. */
    types,
    bodies,
    /** Resolves with the spans of the request, once it has itself been received. */
    ofRequest: async (requestId: string) => {
      await expect.poll(() => find(requestId), { timeout: 30_000 }).toBeDefined();
      const { traceId } = find(requestId)!;
      return spans.filter((span) => span.traceId === traceId);
    },
    close: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

interface JsonSpan extends Omit<ReceivedSpan, 'attributes' | 'parentSpanId'> {
  parentSpanId?: string;
  attributes: { key: string; value: Record<string, unknown> }[];
}

function fromJson(body: Buffer): ReceivedSpan[] {
  const { resourceSpans } = JSON.parse(body.toString()) as {
    resourceSpans: { scopeSpans: { spans: JsonSpan[] }[] }[];
  };
  return resourceSpans
    .flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
    .map(({ traceId, spanId, parentSpanId = '', name, attributes }) => ({
      traceId,
      spanId,
      parentSpanId,
      name,
      attributes: Object.fromEntries(
        attributes.map(({ key, value }) => [key, String(Object.values(value)[0])]),
      ),
    }));
}

/**
 * The numbers are those of the fields in
 * https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
 */
function fromProtobuf(body: Buffer): ReceivedSpan[] {
  const spans = all(body, 1).flatMap((resource) => all(resource, 2).flatMap((scope) => all(scope, 2)));
  return spans.map((span) => ({
    traceId: one(span, 1).toString('hex'),
    spanId: one(span, 2).toString('hex'),
    parentSpanId: one(span, 4).toString('hex'),
    name: one(span, 5).toString(),
    attributes: Object.fromEntries(
      all(span, 9).map((pair) => [one(pair, 1).toString(), one(one(pair, 2), 1).toString()]),
    ),
  }));
}

const one = (message: Buffer, field: number): Buffer => all(message, field)[0] ?? Buffer.alloc(0);

/** The length-delimited fields with one number: https://protobuf.dev/programming-guides/encoding/ */
function all(message: Buffer, wanted: number): Buffer[] {
  const found: Buffer[] = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const tag = varint();
    const [field, type] = [Math.floor(tag / 8), tag % 8];
    if (type === 0) varint();
    else if (type === 1) at += 8;
    else if (type === 5) at += 4;
    else {
      const length = varint();
      if (field === wanted) found.push(message.subarray(at, at + length));
      at += length;
    }
  }
  return found;
}
