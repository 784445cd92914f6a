import { gzipSync } from 'node:zlib';
import { PATIENT } from './client.js';
import type { RawAnswer } from './raw-http.js';

/** The sender, and the `X-Request-Id`. */
export interface Sender {
  token: string;
  id: string;
}

export interface HostileRequest {
  name: string;
  bytes(sender: Sender): string | Buffer;
  /** The statuses of all answers, in order; then the connection is closed. */
  answers: number[];
  /** How many of those are recorded under the request's id. */
  records: number[];
  isHead?: boolean;
}

interface Parts {
  method?: string;
  path?: string;
  headers?: string[];
  body?: string | Buffer;
  type?: string | null;
  /** Sent in chunks of this many bytes instead of with its length. */
  chunk?: number;
  close?: boolean;
  isStranger?: boolean;
}

const PREDICT = JSON.stringify(PATIENT);
/** The same without its last brace, so that more can follow. */
const PATIENT_AND = PREDICT.slice(0, -1);
const COLUMNS = Object.keys(PATIENT).join(',');
const VALUES = Object.values(PATIENT);
const MIB = 1024 ** 2;

function write(
  { token, id }: Sender,
  {
    method = 'POST',
    path = '/predict',
    headers = [],
    body = '',
    type = 'application/json',
    chunk,
    close = true,
    isStranger,
  }: Parts,
): Buffer {
  const bytes = Buffer.from(body);
  const lines = [
    `${method} ${path} HTTP/1.1`,
    'host: foretell',
    `x-request-id: ${id}`,
    ...(isStranger ? [] : [`authorization: Bearer ${token}`]),
    ...(close ? ['connection: close'] : []),
    ...(type && bytes.length > 0 ? [`content-type: ${type}`] : []),
    ...headers,
    ...(chunk ? ['transfer-encoding: chunked'] : bytes.length > 0 ? [`content-length: ${bytes.length}`] : []),
  ];
  return Buffer.concat([
    Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'),
    chunk ? inChunks(bytes, chunk) : bytes,
  ]);
}

function inChunks(bytes: Buffer, size: number): Buffer {
  const parts: (string | Buffer)[] = [];
  for (let offset = 0; offset < bytes.length; offset += size) {
    const part = bytes.subarray(offset, offset + size);
    parts.push(`${part.length.toString(16)}\r\n`, part, '\r\n');
  }
  return Buffer.concat([...parts, '0\r\n\r\n'].map((part) => Buffer.from(part)));
}

const list: HostileRequest[] = [];

/** One request and one answer; recorded with the same status, if at all. */
function one(name: string, parts: Parts, status: number, { recorded = false, isHead = false } = {}): void {
  const records = recorded ? [status] : [];
  list.push({ name, bytes: (sender) => write(sender, parts), answers: [status], records, isHead });
}

type Bodies = Record<string, string | Buffer>;

/** Predictions by their names, sent in the same way, answered and recorded with the same status. */
function asked(status: number, parts: Parts, bodies: Bodies): void {
  for (const [name, body] of Object.entries(bodies))
    one(name, { body, ...parts }, status, { recorded: true });
}

/** The tutorial's patient, sent in an unusual way; answered and recorded. */
function askedOddly(ways: Record<string, Parts>): void {
  for (const [name, parts] of Object.entries(ways)) asked(200, parts, { [name]: PREDICT });
}

/** Refused with this status, and not recorded. */
function unread(status: number, requests: Record<string, Parts>): void {
  for (const [name, parts] of Object.entries(requests)) one(name, parts, status);
}

/** Bytes that are not a request, or not one to be trusted. */
function refused(status: number, requests: Bodies): void {
  for (const [name, lines] of Object.entries(requests)) {
    const bytes = (sender: Sender) => (typeof lines === 'string' ? bytesOf(lines, sender) : lines);
    list.push({ name, bytes, answers: [status], records: [] });
  }
}

const bytesOf = (lines: string, { token, id }: Sender) =>
  Buffer.from(lines.replace('TOKEN', token).replace('ID', id), 'latin1');

const head = (...lines: string[]) =>
  `${['POST /predict HTTP/1.1', 'host: foretell', 'authorization: Bearer TOKEN', 'x-request-id: ID', 'content-type: application/json', ...lines].join('\r\n')}\r\n\r\n`;

// ---- Bodies of a prediction.

const named = { path: '/models/heart-failure/predict' };
const mlflow = { path: '/invocations' };
const infer = { path: '/v2/models/heart-failure/infer' };
const csv = { ...mlflow, type: 'text/csv' };

const nested = (open: string, close: string, levels = 1e5) => open.repeat(levels) + close.repeat(levels);
const extra = (columns: number) =>
  Array.from({ length: columns }, (_, index) => `"x${index}":${index}`).join();
const times = (count: number, json: string) => `[${Array<string>(count).fill(json).join()}]`;
const pollution = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'toJSON'];
const polluted = pollution.reduceRight(
  (inner, name) => `{"${name}":${inner},"__proto__":{"age":1}}`,
  '{"__proto__":null}',
);

asked(
  200,
  {},
  {
    '__proto__ and constructor at every level': `${PATIENT_AND},"__proto__":${polluted},"constructor":${polluted}}`,
    'four thousand extra columns': `${PATIENT_AND},${extra(4_000)}}`,
    'a key of half a mebibyte': `${PATIENT_AND},"${'k'.repeat(MIB / 2)}":1}`,
    'a million digits behind the point': `${PATIENT_AND},"age":0.${'3'.repeat(1e6)}}`,
    'a number beyond all floats where none is looked at': `${PATIENT_AND},"x":[1e400,-1e400]}`,
    'a byte order mark': `\uFEFF${PREDICT}`,
    'lone surrogates': `${PATIENT_AND},"\\ud800":"\\udfff\\ud800"}`,
    NUL: `${PATIENT_AND},"\\u0000":"a\\u0000"}`,
    'a key that is there twice': `${PATIENT_AND},"age":25}`,
  },
);
asked(
  400,
  {},
  {
    '100 000 nested arrays': nested('[', ']'),
    '100 000 nested objects': '{"a":'.repeat(1e5) + '1' + '}'.repeat(1e5),
    'a million brackets that never close': '['.repeat(1e6),
    '100 000 nested arrays among columns': `${PATIENT_AND},"x":${nested('[', ']')}}`,
    '__proto__ instead of columns': `{"__proto__":${PREDICT}}`,
    '60 000 extra columns': `${PATIENT_AND},${extra(60_000)}}`,
    'an extra column of 480 000 elements': `${PATIENT_AND},"x":${times(480_000, '0')}}`,
    'a string of half a mebibyte': `${PATIENT_AND},"age":"${'9'.repeat(MIB / 2)}"}`,
    'a number of a million digits': `${PATIENT_AND},"age":${'9'.repeat(1e6)}}`,
    'an exponent of a thousand digits': `${PATIENT_AND},"age":1e${'9'.repeat(1e3)}}`,
    'bytes that are no UTF-8': Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0xc0, 0x80, 0x22, 0x7d]),
    'UTF-16': Buffer.from(PREDICT, 'utf16le'),
    'two byte order marks': `\uFEFF\uFEFF${PREDICT}`,
    'NUL as it is': `${PATIENT_AND},"x":"\0"}`,
    'no body': '',
    'white space': ' '.repeat(1e6),
    'a body that is no object': '[1]',
    'a body that is null': 'null',
  },
);
asked(400, named, {
  '__proto__ in instances': `{"instances":[{"__proto__":${PREDICT}}],"__proto__":1}`,
  '60 000 extra columns in one of the instances': `{"instances":[${PATIENT_AND},${extra(60_000)}}]}`,
  'ten thousand instances': `{"instances":${times(10_000, PREDICT.replaceAll(/"(\w)\w+"/g, '"$1"'))}}`,
});
asked(200, mlflow, {
  'ten thousand rows': `{"instances":${times(10_000, JSON.stringify(VALUES))}}`,
});
asked(400, mlflow, {
  '100 000 nested arrays as MLflow': `{"instances":${nested('[', ']')}}`,
  '__proto__ in records': `{"dataframe_records":[{"__proto__":${PREDICT}}]}`,
  '__proto__ as a column of a table': `{"dataframe_split":{"columns":["__proto__"],"data":[[{"age":1}]]}}`,
  '300 000 records without a column': `{"dataframe_records":${times(300_000, '{}')}}`,
  '300 000 rows without a cell': `{"dataframe_split":{"columns":[],"data":${times(300_000, '[]')}}}`,
  '300 000 instances that are none': `{"instances":${times(300_000, '0')}}`,
});
asked(200, infer, {
  'ten thousand rows in a tensor': `{"inputs":[{"name":"features","shape":[10000,8],"datatype":"FP32","data":${times(10_000, VALUES.join())}}]}`,
});
asked(400, infer, {
  '100 000 nested arrays as a tensor': `{"inputs":${nested('[', ']')}}`,
  '__proto__ as a tensor': `{"inputs":[{"name":"__proto__","shape":[1],"datatype":"constructor","data":[1]}]}`,
  '100 000 tensors': `{"inputs":${times(100_000, '{}')}}`,
  'a shape that lies':
    '{"inputs":[{"name":"float_input","shape":[9007199254740991,8],"datatype":"FP32","data":[1]}]}',
  'a shape of nothing':
    '{"inputs":[{"name":"float_input","shape":[0,9007199254740991],"datatype":"FP32","data":[]}]}',
});
asked(
  400,
  { ...infer, headers: ['inference-header-content-length: 1'] },
  {
    'binary data that is not there':
      '{"inputs":[{"name":"float_input","shape":[1,8],"datatype":"FP32","parameters":{"binary_data_size":1e300}}]}',
  },
);
asked(200, csv, {
  'a CSV of 90 000 empty lines': `${COLUMNS}\n${'\n'.repeat(9e4)}`,
  'a CSV of 100 000 rows of empty cells': `${COLUMNS}\n${',,,,,,,\n'.repeat(1e5)}`,
});
asked(400, csv, {
  'a CSV of a million empty lines': `${COLUMNS}\n${'\n'.repeat(1e6)}`,
  'a CSV of nothing but a million empty lines': '\n'.repeat(1e6),
  'a CSV of half a million rows of one cell': `a\n${'1\n'.repeat(5e5)}`,
  'a CSV of a million columns': ','.repeat(1e6),
  'a CSV whose quote never closes': `${COLUMNS}\n"${'x'.repeat(1e6)}`,
  'a CSV of half a million quotes': `${COLUMNS}\n${'""'.repeat(5e5)}`,
  'a CSV whose last line is ragged': `${COLUMNS}\n${',,,,,,,\n'.repeat(1e5)}1`,
  'bytes that are no UTF-8 as CSV': Buffer.from([0x61, 0xff, 0x0a, 0x31]),
});
asked(400, { type: null }, { 'no media type and no JSON': 'age=25' });
askedOddly({
  'many small chunks': { chunk: 1 },
  'the encoding identity': { headers: ['content-encoding: identity'] },
  'no media type': { type: null },
  'no media type, in chunks': { type: null, chunk: 7 },
  'no media type for a named model': { type: null, ...named },
});

// ---- Bodies that are not read.

const headers = ['content-encoding: gzip'];
unread(415, {
  gzip: { body: gzipSync(PREDICT), headers },
  'gzip that blows up': { body: gzipSync(Buffer.alloc(100 * MIB)), headers },
  'gzip as CSV': { ...csv, body: gzipSync(`${COLUMNS}\n`), headers },
  'an encoding that does not exist': { path: '/token', body: '{}', headers: ['content-encoding: x, y'] },
  'no media type as MLflow': { ...mlflow, body: `{"instances":[${PREDICT}]}`, type: null },
  'no media type and gzip': { body: gzipSync(PREDICT), type: null, headers },
  'an invalid media type': { body: PREDICT, type: ';;,/' },
  'a form': { body: 'age=25', type: 'application/x-www-form-urlencoded' },
});
const tenGigabytes = { headers: ['content-length: 10000000000', 'content-type: application/json'] };
unread(413, {
  'no media type and more than is taken': { body: Buffer.alloc(MIB + 1, ' '), type: null },
  'more than is taken': { body: Buffer.alloc(MIB + 1, ' ') },
  'more than is taken, in chunks': { body: Buffer.alloc(2 * MIB, ' '), chunk: 65_536 },
  'more than is taken, in CSV': { ...csv, body: Buffer.alloc(2 * MIB, ' '), chunk: 65_536 },
  'ten gigabytes, as declared': tenGigabytes,
  'a stranger’s ten gigabytes': { ...tenGigabytes, isStranger: true, path: '/register-user' },
});
unread(404, { 'no media type at an unknown path': { path: '/nowhere', body: PREDICT, type: null } });

// ---- Framing: a message that two servers could read differently is refused.

const smuggled = 'GET /livez HTTP/1.1\r\nhost: foretell\r\n\r\n';
const chunked = head('transfer-encoding: chunked');
refused(400, {
  'Content-Length and Transfer-Encoding': `${head('content-length: 4', 'transfer-encoding: chunked')}0\r\n\r\n${smuggled}`,
  'Transfer-Encoding and Content-Length': `${head('transfer-encoding: chunked', 'content-length: 4')}0\r\n\r\n${smuggled}`,
  'Content-Length twice': `${head('content-length: 2', `content-length: ${2 + smuggled.length}`)}{}${smuggled}`,
  'Content-Length twice the same': `${head('content-length: 2', 'content-length: 2')}{}`,
  'Content-Length with a comma': `${head('content-length: 2, 2')}{}`,
  'Transfer-Encoding that is not chunked': `${head('transfer-encoding: identity')}{}`,
  'a coding before chunked': `${head('transfer-encoding: gzip, chunked')}0\r\n\r\n`,
  'Transfer-Encoding that ends otherwise': `${head('transfer-encoding: chunked, identity')}0\r\n\r\n`,
  'Transfer-Encoding with a vertical tab': `${head('transfer-encoding: \x0bchunked')}0\r\n\r\n`,
  'a space before the colon': `${head('transfer-encoding : chunked')}0\r\n\r\n`,
  'an invalid chunk size': `${chunked}zz\r\n{}\r\n0\r\n\r\n`,
  'a chunk size beyond all numbers': `${chunked}fffffffffffffffff\r\n{}`,
  'a chunk longer than it says': `${chunked}1\r\n{}}}}\r\n0\r\n\r\n`,
  'a chunk extension of 20 kB': `${chunked}2;${'x'.repeat(20_000)}\r\n{}\r\n0\r\n\r\n`,
  'a header that goes on in the next line': `${head('x-more: a\r\n b')}`,
  'a header without a colon': head('nonsense'),
  'a header without a name': head(': x'),
  'control characters in a header': head('x-more: a\x01\x7fb'),
  'NUL in a header': head('x-more: a\0b'),
  'a lone CR in a header': head('x-more: a\rx-evil: b'),
  'no Host': 'GET /livez HTTP/1.1\r\nconnection: close\r\n\r\n',
  'a second Host header behind 1 500 others': head(
    'connection: close',
    ...Array<string>(1_500).fill('x: x'),
    'host: other',
  ),
  'an unknown method': 'FROB /predict HTTP/1.1\r\nhost: foretell\r\n\r\n',
  'a method in lower case': 'get /livez HTTP/1.1\r\nhost: foretell\r\n\r\n',
  'a URL without a slash': 'GET livez HTTP/1.1\r\nhost: foretell\r\n\r\n',
  'control characters in a URL': 'GET /li\x01vez HTTP/1.1\r\nhost: foretell\r\n\r\n',
  'HTTP of the ninth version': 'GET /livez HTTP/9.9\r\nhost: foretell\r\n\r\n',
  'HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'no HTTP': 'hello\r\n\r\n',
  TLS: Buffer.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0]),
  'a megabyte of noise': Buffer.from(Array.from({ length: MIB }, (_, index) => (index * 7919 + 13) & 0xff)),
});
for (const length of ['-1', '+2', '0x2', '1e1', '2 2', '99999999999999999999999']) {
  refused(400, { [`Content-Length: ${length}`]: `${head(`content-length: ${length}`)}{}` });
}
refused(431, {
  '20 kB of one header': head(`x-more: ${'x'.repeat(20_000)}`),
  '5 000 headers': head(...Array.from({ length: 5_000 }, (_, index) => `x-${index}: x`)),
  'a URL of 20 kB': `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nhost: foretell\r\n\r\n`,
});

// ---- Several in one packet.

/** These, one after another; the last one closes the connection, or is garbage that does. */
function packet(name: string, parts: (Parts | string)[], answers: number[], records: number[]): void {
  const bytes = (sender: Sender) =>
    Buffer.concat(
      parts.map((part) => (typeof part === 'string' ? bytesOf(part, sender) : write(sender, part))),
    );
  list.push({ name, bytes, answers, records });
}

const first = { body: PREDICT, close: false };
const last = { body: PREDICT };
packet('three predictions in one packet', [first, first, last], [200, 200, 200], [200, 200, 200]);
packet('a prediction and noise in one packet', [first, '\x01\x02\r\n\r\n'], [200, 400], [200]);
packet(
  'two predictions and one that is cut off by noise',
  [first, { body: '{}', close: false }, head('transfer-encoding: chunked'), 'zz\r\n\r\n'],
  [200, 400, 400],
  [200, 400],
);
packet('a body longer than it says', [first, '}}}}\r\n\r\n'], [200, 400], [200]);
packet('a request behind the last one', [last, last], [200], [200]);
packet('Expect: 100-continue', [{ ...last, headers: ['expect: 100-continue'] }], [100, 200], [200]);

// ---- Headers that are well formed but absurd.

askedOddly({
  'a thousand headers': { headers: Array.from({ length: 1_000 }, (_, index) => `x-${index}: x`) },
  'a header a thousand times': { headers: Array<string>(1_000).fill('accept: */*') },
  'an expectation that nobody knows': { headers: ['expect: the-unexpected'] },
  'an upgrade to web sockets': {
    close: false,
    headers: ['connection: upgrade, close', 'upgrade: websocket'],
  },
  'an upgrade to HTTP/2': {
    close: false,
    headers: ['connection: upgrade, close', 'upgrade: h2c', 'http2-settings: AAA'],
  },
  'headers that are not ASCII': { headers: ['x-more: \xe9\xff', 'accept-language: \x80'] },
  'headers called like members of every object': {
    headers: ['__proto__: x', 'constructor: x', 'toString: x'],
  },
});
const withTokens = (...tokens: string[]): Parts => ({
  body: PREDICT,
  isStranger: true,
  headers: tokens.map((token) => `authorization: Bearer ${token}`),
});
unread(401, {
  'another’s token behind the own one': withTokens('x', 'y'),
  'a token of 10 kB': withTokens('x'.repeat(10_000)),
  'a token that is not ASCII': withTokens('\xe9.\x80.\xff'),
  'a token of three empty objects': withTokens('e30.e30.e30'),
});

// ---- URLs and methods.

const get = (status: number, ...paths: string[]) => {
  for (const path of paths) one(`GET ${path.slice(0, 60)}`, { method: 'GET', path }, status);
};
get(
  200,
  `/livez?${'a[]=1&'.repeat(2_000)}`,
  '/livez?__proto__[x]=1&constructor[prototype][y]=2&%=%',
  'http://elsewhere.example/livez',
);
get(
  400,
  '/%',
  '/%zz',
  '/%c0%ae%c0%ae/',
  '/batches?cursor=%00',
  '/batches?limit=1&limit=2',
  '/batches?limit=1e999',
  '/batches?limit[__proto__]=1',
);
get(401, '/token_status/%00', `/token_status/${'x'.repeat(10_000)}`);
get(403, '/audit/predictions');
get(
  404,
  `/${'a'.repeat(10_000)}`,
  `/${'a/'.repeat(5_000)}`,
  '/%00',
  '//livez',
  '/LIVEZ',
  '/livez/',
  '/./livez',
  '/livez;jsessionid=1',
  '/docs/..%2f..%2fpackage.json',
  '/docs/%00',
  '/v2/nowhere',
  '/v2/models/%00',
  '/v2/models/__proto__',
  '/v2/models/heart-failure/versions/%00',
  '/v2/models/heart-failure/versions/__proto__/ready',
  '/batches/%00',
);
unread(404, {
  'a model called __proto__': { path: '/models/__proto__/predict', body: PREDICT },
  'a version called NUL': { path: '/models/heart-failure/versions/%00/predict', body: PREDICT },
  'a version called like a path': { path: '/models/heart-failure/versions/..%2f1/predict', body: PREDICT },
  'a model in the query that is NUL': { path: '/invocations?model=%00', body: '{}' },
});
one('a model in the query twice', { path: '/invocations?model=a&model=b', body: '{}' }, 400);
for (const method of ['PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'SEARCH', 'QUERY']) {
  one(`${method} /predict`, { method, body: PREDICT }, 405);
}
one('OPTIONS *', { method: 'OPTIONS', path: '*' }, 404);
one('HEAD /livez', { method: 'HEAD', path: '/livez' }, 200, { isHead: true });
one('HEAD /predict', { method: 'HEAD' }, 405, { isHead: true });
one('GET with a body', { method: 'GET', path: '/livez', body: PREDICT }, 200);

// ---- Requests without a token.

function strangers(
  path: string,
  status: number,
  bodies: Bodies,
  type: Parts['type'] = 'application/json',
): void {
  for (const [name, body] of Object.entries(bodies)) {
    one(`${path}: ${name}`, { path, body, type, isStranger: true }, status);
  }
}

const ones = (keys: number) => `{${Array.from({ length: keys }, (_, index) => `"x${index}":1`).join()}}`;
for (const path of ['/token', '/register-user']) {
  // More than these routes accept.
  strangers(path, 413, {
    '100 000 nested arrays': `{"username":${nested('[', ']')}}`,
    '80 000 keys': ones(80_000),
  });
  strangers(path, 400, {
    '1 500 keys': ones(1_500),
    'a name of nested arrays': `{"username":${nested('[', ']', 8_000)}}`,
    'a name of nested objects': `{"username":${'{"a":'.repeat(2_500)}1${'}'.repeat(2_500)}}`,
    'nested arrays beside the name': `{"x":${nested('[', ']', 8_000)},"password":"p"}`,
    'nested arrays': nested('[', ']', 8_000),
    'an array of 5 000': times(5_000, '{}'),
    ['__proto__']: '{"__proto__":{"username":"u","password":"p","email":"e@example.org"}}',
    constructor: '{"constructor":{"prototype":{"username":"u"}},"password":"p"}',
    'an object with a string’s members': '{"username":{"length":1,"toString":1},"password":["p"]}',
    null: 'null',
    'a string': '"x"',
    numbers: '{"username":1e400,"password":1}',
  });
  strangers(
    path,
    400,
    { 'no media type, and nothing in it': '{}', 'no media type, and no JSON': 'username=u' },
    null,
  );
  const tooMuch = { 'no media type, and more than is taken': `{"username":"${'x'.repeat(20_000)}"}` };
  strangers(path, 413, tooMuch, null);
}
const LONG = 'x'.repeat(10_000);
strangers('/register-user', 400, {
  'a long name': `{"username":"${LONG}","password":"p","email":"e@example.org"}`,
  'a long address': `{"username":"u","password":"p","email":"${LONG}@example.org"}`,
  'a long password': `{"username":"u","password":"${LONG}","email":"e@example.org"}`,
  'NUL in the name': '{"username":"a\\u0000b","password":"p","email":"e@example.org"}',
  'NUL in the password': '{"username":"u","password":"a\\u0000b","email":"e@example.org"}',
});
strangers('/token', 401, {
  'NUL in the name': '{"username":"a\\u0000b","password":"p"}',
  'lone surrogates': '{"username":"\\ud800","password":"\\udfff"}',
});

export const HOSTILE_REQUESTS: readonly HostileRequest[] = list;

/** Faults that a refusal must never have, whatever was refused. */
export function mistakesIn({ status, headers, body }: RawAnswer, isHead = false): string[] {
  const mistakes: string[] = [];
  if (status >= 500) mistakes.push(`${status} ${body}`);
  if (/\bat .+:\d+:\d+|node_modules|[\\/]dist[\\/]|Error:/.test(body))
    mistakes.push(`it tells our inside: ${body}`);
  if (status < 400 || isHead) return mistakes;
  const type = headers['content-type'] ?? 'no type';
  const form = formIn(body);
  const right = form === 'problem' ? 'application/problem+json' : 'application/json';
  if (!form || type !== `${right}; charset=utf-8`) mistakes.push(`no form of ours: ${type} ${body}`);
  return mistakes;
}

function formIn(body: string): 'problem' | 'mlflow' | 'oip' | undefined {
  const { type, status, request_id, error_code, message, error } = parsed(body) as Record<string, unknown>;
  if (String(type).startsWith('urn:foretell:error:') && Number(status) >= 400 && request_id) return 'problem';
  if (error_code && message) return 'mlflow';
  return error ? 'oip' : undefined;
}

function parsed(body: string): object {
  try {
    return JSON.parse(body) as object;
  } catch {
    return {};
  }
}
