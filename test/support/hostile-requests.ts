import { gzipSync } from 'node:zlib';
import { PATIENT } from './client.js';
import type { RawAnswer } from './raw-http.js';

/** Who sends it, and under which `X-Request-Id`. */
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
  /** Sent in chunks of so many bytes instead of with its length. */
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

/** One request and one answer; recorded with the same status, where it is. */
function one(name: string, parts: Parts, status: number, { recorded = false, isHead = false } = {}): void {
  const records = recorded ? [status] : [];
  list.push({ name, bytes: (sender) => write(sender, parts), answers: [status], records, isHead });
}

/** A prediction that is answered, and recorded whatever the answer. */
function asked(name: string, body: string | Buffer, status: number, parts: Parts = {}): void {
  one(name, { body, ...parts }, status, { recorded: true });
}

/** Bytes that are no request, or not one that may be trusted. */
function refused(name: string, lines: string | Buffer, status = 400): void {
  const bytes = ({ token, id }: Sender) =>
    typeof lines === 'string'
      ? Buffer.from(lines.replace('TOKEN', token).replace('ID', id), 'latin1')
      : lines;
  list.push({ name, bytes, answers: [status], records: [] });
}

const head = (...lines: string[]) =>
  `${['POST /predict HTTP/1.1', 'host: foretell', 'authorization: Bearer TOKEN', 'x-request-id: ID', 'content-type: application/json', ...lines].join('\r\n')}\r\n\r\n`;

// ---- Bodies of a prediction.

const [NAMED, MLFLOW] = ['/models/heart-failure/predict', '/invocations'];
const INFER = '/v2/models/heart-failure/infer';
const csv = { path: MLFLOW, type: 'text/csv' };

asked('100 000 nested arrays', '['.repeat(1e5) + ']'.repeat(1e5), 400);
asked('100 000 nested objects', '{"a":'.repeat(1e5) + '1' + '}'.repeat(1e5), 400);
asked('a million brackets that never close', '['.repeat(1e6), 400);
asked('100 000 nested arrays among columns', `${PATIENT_AND},"x":${'['.repeat(1e5)}${']'.repeat(1e5)}}`, 400);
asked('100 000 nested arrays as MLflow', `{"instances":${'['.repeat(1e5)}${']'.repeat(1e5)}}`, 400, {
  path: MLFLOW,
});
asked('100 000 nested arrays as a tensor', `{"inputs":${'['.repeat(1e5)}${']'.repeat(1e5)}}`, 400, {
  path: INFER,
});
const polluted = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'toJSON',
].reduceRight((inner, name) => `{"${name}":${inner},"__proto__":{"age":1}}`, '{"__proto__":null}');
asked(
  '__proto__ and constructor at every level',
  `${PATIENT_AND},"__proto__":${polluted},"constructor":${polluted}}`,
  200,
);
asked('__proto__ instead of columns', `{"__proto__":${PREDICT}}`, 400);
asked('__proto__ in instances', `{"instances":[{"__proto__":${PREDICT}}],"__proto__":1}`, 400, {
  path: NAMED,
});
asked('__proto__ in records', `{"dataframe_records":[{"__proto__":${PREDICT}}]}`, 400, { path: MLFLOW });
asked(
  '__proto__ as a column of a table',
  `{"dataframe_split":{"columns":["__proto__"],"data":[[{"age":1}]]}}`,
  400,
  { path: MLFLOW },
);
asked(
  '__proto__ as a tensor',
  `{"inputs":[{"name":"__proto__","shape":[1],"datatype":"constructor","data":[1]}]}`,
  400,
  { path: INFER },
);
const extra = (columns: number) =>
  Array.from({ length: columns }, (_, index) => `"x${index}":${index}`).join();
asked('four thousand extra columns', `${PATIENT_AND},${extra(4_000)}}`, 200);
asked('60 000 extra columns', `${PATIENT_AND},${extra(60_000)}}`, 400);
asked(
  '60 000 extra columns in one of the instances',
  `{"instances":[${PATIENT_AND},${extra(60_000)}}]}`,
  400,
  {
    path: NAMED,
  },
);
asked('an extra column of 480 000 elements', `${PATIENT_AND},"x":[${Array(480_000).fill(0).join()}]}`, 400);
asked('a key of half a mebibyte', `${PATIENT_AND},"${'k'.repeat(MIB / 2)}":1}`, 200);
asked('a string of half a mebibyte', `${PATIENT_AND},"age":"${'9'.repeat(MIB / 2)}"}`, 400);
asked('a number of a million digits', `${PATIENT_AND},"age":${'9'.repeat(1e6)}}`, 400);
asked('a million digits behind the point', `${PATIENT_AND},"age":0.${'3'.repeat(1e6)}}`, 200);
asked('an exponent of a thousand digits', `${PATIENT_AND},"age":1e${'9'.repeat(1e3)}}`, 400);
asked('a number beyond all floats where none is looked at', `${PATIENT_AND},"x":[1e400,-1e400]}`, 200);
asked(
  'ten thousand instances',
  `{"instances":[${Array(10_000)
    .fill(PREDICT.replaceAll(/"(\w)\w+"/g, '"$1"'))
    .join()}]}`,
  400,
  { path: NAMED },
);
asked('ten thousand rows', `{"instances":[${Array(10_000).fill(JSON.stringify(VALUES)).join()}]}`, 200, {
  path: MLFLOW,
});
asked(
  'ten thousand rows in a tensor',
  `{"inputs":[{"name":"features","shape":[10000,8],"datatype":"FP32","data":[${Array(10_000).fill(VALUES.join()).join()}]}]}`,
  200,
  { path: INFER },
);
asked(
  '300 000 records without a column',
  `{"dataframe_records":[${Array(300_000).fill('{}').join()}]}`,
  400,
  { path: MLFLOW },
);
asked(
  '300 000 rows without a cell',
  `{"dataframe_split":{"columns":[],"data":[${Array(300_000).fill('[]').join()}]}}`,
  400,
  { path: MLFLOW },
);
asked('300 000 instances that are none', `{"instances":[${Array(300_000).fill('0').join()}]}`, 400, {
  path: MLFLOW,
});
asked('100 000 tensors', `{"inputs":[${Array(100_000).fill('{}').join()}]}`, 400, { path: INFER });
asked(
  'a shape that lies',
  '{"inputs":[{"name":"float_input","shape":[9007199254740991,8],"datatype":"FP32","data":[1]}]}',
  400,
  { path: INFER },
);
asked(
  'a shape of nothing',
  '{"inputs":[{"name":"float_input","shape":[0,9007199254740991],"datatype":"FP32","data":[]}]}',
  400,
  { path: INFER },
);
asked(
  'binary data that is not there',
  '{"inputs":[{"name":"float_input","shape":[1,8],"datatype":"FP32","parameters":{"binary_data_size":1e300}}]}',
  400,
  { path: INFER, headers: ['inference-header-content-length: 1'] },
);
asked('a CSV of a million empty lines', `${COLUMNS}\n${'\n'.repeat(1e6)}`, 400, csv);
asked('a CSV of 90 000 empty lines', `${COLUMNS}\n${'\n'.repeat(9e4)}`, 200, csv);
asked('a CSV of nothing but a million empty lines', '\n'.repeat(1e6), 400, csv);
asked('a CSV of half a million rows of one cell', `a\n${'1\n'.repeat(5e5)}`, 400, csv);
asked('a CSV of 100 000 rows of empty cells', `${COLUMNS}\n${',,,,,,,\n'.repeat(1e5)}`, 200, csv);
asked('a CSV of a million columns', ','.repeat(1e6), 400, csv);
asked('a CSV whose quote never closes', `${COLUMNS}\n"${'x'.repeat(1e6)}`, 400, csv);
asked('a CSV of half a million quotes', `${COLUMNS}\n${'""'.repeat(5e5)}`, 400, csv);
asked('a CSV whose last line is ragged', `${COLUMNS}\n${',,,,,,,\n'.repeat(1e5)}1`, 400, csv);
asked('bytes that are no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0xc0, 0x80, 0x22, 0x7d]), 400);
asked('bytes that are no UTF-8 as CSV', Buffer.from([0x61, 0xff, 0x0a, 0x31]), 400, csv);
asked('UTF-16', Buffer.from(PREDICT, 'utf16le'), 400);
asked('a byte order mark', `\uFEFF${PREDICT}`, 200);
asked('two byte order marks', `\uFEFF\uFEFF${PREDICT}`, 400);
asked('lone surrogates', `${PATIENT_AND},"\\ud800":"\\udfff\\ud800"}`, 200);
asked('NUL', `${PATIENT_AND},"\\u0000":"a\\u0000"}`, 200);
asked('NUL as it is', `${PATIENT_AND},"x":"\0"}`, 400);
asked('a key that is there twice', `${PATIENT_AND},"age":25}`, 200);
asked('no body', '', 400);
asked('white space', ' '.repeat(1e6), 400);
asked('a body that is no object', '[1]', 400);
asked('a body that is null', 'null', 400);
asked('many small chunks', PREDICT, 200, { chunk: 1 });

// ---- Bodies that are not read.

one('gzip', { body: gzipSync(PREDICT), headers: ['content-encoding: gzip'] }, 415);
one(
  'gzip that blows up',
  { body: gzipSync(Buffer.alloc(100 * MIB)), headers: ['content-encoding: gzip'] },
  415,
);
one('gzip as CSV', { ...csv, body: gzipSync(`${COLUMNS}\n`), headers: ['content-encoding: gzip'] }, 415);
one(
  'an encoding that does not exist',
  { path: '/token', body: '{}', headers: ['content-encoding: x, y'] },
  415,
);
asked('the encoding identity', PREDICT, 200, { headers: ['content-encoding: identity'] });
asked('no media type', PREDICT, 200, { type: null });
asked('no media type, in chunks', PREDICT, 200, { type: null, chunk: 7 });
asked('no media type for a named model', PREDICT, 200, { type: null, path: NAMED });
asked('no media type and no JSON', 'age=25', 400, { type: null });
one('no media type as MLflow', { path: MLFLOW, body: `{"instances":[${PREDICT}]}`, type: null }, 415);
one('no media type and more than is taken', { body: Buffer.alloc(MIB + 1, ' '), type: null }, 413);
one(
  'no media type and gzip',
  { body: gzipSync(PREDICT), type: null, headers: ['content-encoding: gzip'] },
  415,
);
one('no media type at an unknown path', { path: '/nowhere', body: PREDICT, type: null }, 404);
one('an invalid media type', { body: PREDICT, type: ';;,/' }, 415);
one('a form', { body: 'age=25', type: 'application/x-www-form-urlencoded' }, 415);
one('more than is taken', { body: Buffer.alloc(MIB + 1, ' ') }, 413);
one('more than is taken, in chunks', { body: Buffer.alloc(2 * MIB, ' '), chunk: 65_536 }, 413);
one('more than is taken, in CSV', { ...csv, body: Buffer.alloc(2 * MIB, ' '), chunk: 65_536 }, 413);
one(
  'ten gigabytes, as declared',
  { headers: ['content-length: 10000000000', 'content-type: application/json'] },
  413,
);
one(
  'a stranger’s ten gigabytes',
  {
    isStranger: true,
    path: '/register-user',
    headers: ['content-length: 10000000000', 'content-type: application/json'],
  },
  413,
);

// ---- Framing: what two servers could read differently is read by none.

const smuggled = 'GET /livez HTTP/1.1\r\nhost: foretell\r\n\r\n';
refused(
  'Content-Length and Transfer-Encoding',
  `${head('content-length: 4', 'transfer-encoding: chunked')}0\r\n\r\n${smuggled}`,
);
refused(
  'Transfer-Encoding and Content-Length',
  `${head('transfer-encoding: chunked', 'content-length: 4')}0\r\n\r\n${smuggled}`,
);
refused(
  'Content-Length twice',
  `${head('content-length: 2', `content-length: ${2 + smuggled.length}`)}{}${smuggled}`,
);
refused('Content-Length twice the same', `${head('content-length: 2', 'content-length: 2')}{}`);
refused('Content-Length with a comma', `${head('content-length: 2, 2')}{}`);
for (const length of ['-1', '+2', '0x2', '1e1', '2 2', '99999999999999999999999']) {
  refused(`Content-Length: ${length}`, `${head(`content-length: ${length}`)}{}`);
}
refused('Transfer-Encoding that is not chunked', `${head('transfer-encoding: identity')}{}`);
refused('a coding before chunked', `${head('transfer-encoding: gzip, chunked')}0\r\n\r\n`);
refused('Transfer-Encoding that ends otherwise', `${head('transfer-encoding: chunked, identity')}0\r\n\r\n`);
refused('Transfer-Encoding with a vertical tab', `${head('transfer-encoding: \x0bchunked')}0\r\n\r\n`);
refused('a space before the colon', `${head('transfer-encoding : chunked')}0\r\n\r\n`);
refused('an invalid chunk size', `${head('transfer-encoding: chunked')}zz\r\n{}\r\n0\r\n\r\n`);
refused('a chunk size beyond all numbers', `${head('transfer-encoding: chunked')}fffffffffffffffff\r\n{}`);
refused('a chunk longer than it says', `${head('transfer-encoding: chunked')}1\r\n{}}}}\r\n0\r\n\r\n`);
refused(
  'a chunk extension of 20 kB',
  `${head('transfer-encoding: chunked')}2;${'x'.repeat(20_000)}\r\n{}\r\n0\r\n\r\n`,
);
refused('a header that goes on in the next line', `${head('x-more: a\r\n b')}`);
refused('a header without a colon', head('nonsense'));
refused('a header without a name', head(': x'));
refused('control characters in a header', head('x-more: a\x01\x7fb'));
refused('NUL in a header', head('x-more: a\0b'));
refused('a lone CR in a header', head('x-more: a\rx-evil: b'));
refused('no Host', 'GET /livez HTTP/1.1\r\nconnection: close\r\n\r\n');
refused('20 kB of one header', head(`x-more: ${'x'.repeat(20_000)}`), 431);
refused('5 000 headers', head(...Array.from({ length: 5_000 }, (_, index) => `x-${index}: x`)), 431);
refused('a URL of 20 kB', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nhost: foretell\r\n\r\n`, 431);
refused('an unknown method', 'FROB /predict HTTP/1.1\r\nhost: foretell\r\n\r\n');
refused('a method in lower case', 'get /livez HTTP/1.1\r\nhost: foretell\r\n\r\n');
refused('a URL without a slash', 'GET livez HTTP/1.1\r\nhost: foretell\r\n\r\n');
refused('control characters in a URL', 'GET /li\x01vez HTTP/1.1\r\nhost: foretell\r\n\r\n');
refused('HTTP of the ninth version', 'GET /livez HTTP/9.9\r\nhost: foretell\r\n\r\n');
refused('HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
refused('no HTTP', 'hello\r\n\r\n');
refused('TLS', Buffer.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0]));
refused(
  'a megabyte of noise',
  Buffer.from(Array.from({ length: MIB }, (_, index) => (index * 7919 + 13) & 0xff)),
);

// ---- Several in one packet.

list.push(
  {
    name: 'three predictions in one packet',
    bytes: (sender) =>
      Buffer.concat([false, false, true].map((close) => write(sender, { body: PREDICT, close }))),
    answers: [200, 200, 200],
    records: [200, 200, 200],
  },
  {
    name: 'a prediction and noise in one packet',
    bytes: (sender) =>
      Buffer.concat([write(sender, { body: PREDICT, close: false }), Buffer.from('\x01\x02\r\n\r\n')]),
    answers: [200, 400],
    records: [200],
  },
  {
    name: 'two predictions and one that is cut off by noise',
    bytes: (sender) =>
      Buffer.concat([
        write(sender, { body: PREDICT, close: false }),
        write(sender, { body: '{}', close: false }),
        Buffer.from(
          head('transfer-encoding: chunked').replace('TOKEN', sender.token).replace('ID', sender.id),
        ),
        Buffer.from('zz\r\n\r\n'),
      ]),
    answers: [200, 400, 400],
    records: [200, 400],
  },
  {
    name: 'a body longer than it says',
    bytes: (sender) =>
      Buffer.concat([write(sender, { body: PREDICT, close: false }), Buffer.from('}}}}\r\n\r\n')]),
    answers: [200, 400],
    records: [200],
  },
  {
    name: 'a request behind the last one',
    bytes: (sender) => Buffer.concat([write(sender, { body: PREDICT }), write(sender, { body: PREDICT })]),
    answers: [200],
    records: [200],
  },
  {
    name: 'Expect: 100-continue',
    bytes: (sender) => write(sender, { body: PREDICT, headers: ['expect: 100-continue'] }),
    answers: [100, 200],
    records: [200],
  },
);

// ---- Headers that are well formed, and absurd.

asked('an expectation that nobody knows', PREDICT, 200, { headers: ['expect: the-unexpected'] });
asked('an upgrade to web sockets', PREDICT, 200, {
  close: false,
  headers: ['connection: upgrade, close', 'upgrade: websocket'],
});
asked('an upgrade to HTTP/2', PREDICT, 200, {
  close: false,
  headers: ['connection: upgrade, close', 'upgrade: h2c', 'http2-settings: AAA'],
});
asked('a thousand headers', PREDICT, 200, {
  headers: Array.from({ length: 1_000 }, (_, index) => `x-${index}: x`),
});
asked('a header a thousand times', PREDICT, 200, { headers: Array<string>(1_000).fill('accept: */*') });
asked('headers that are not ASCII', PREDICT, 200, { headers: ['x-more: \xe9\xff', 'accept-language: \x80'] });
asked('headers called like members of every object', PREDICT, 200, {
  headers: ['__proto__: x', 'constructor: x', 'toString: x'],
});
one(
  'another’s token behind the own one',
  { body: PREDICT, isStranger: true, headers: ['authorization: Bearer x', 'authorization: Bearer y'] },
  401,
);
one(
  'a token of 10 kB',
  { body: PREDICT, isStranger: true, headers: [`authorization: Bearer ${'x'.repeat(10_000)}`] },
  401,
);
one(
  'a token that is not ASCII',
  { body: PREDICT, isStranger: true, headers: ['authorization: Bearer \xe9.\x80.\xff'] },
  401,
);
one(
  'a token of three empty objects',
  { body: PREDICT, isStranger: true, headers: ['authorization: Bearer e30.e30.e30'] },
  401,
);

// ---- URLs and methods.

const get = (path: string, status: number) =>
  one(`GET ${path.slice(0, 60)}`, { method: 'GET', path }, status);
get(`/${'a'.repeat(10_000)}`, 404);
get(`/${'a/'.repeat(5_000)}`, 404);
get(`/livez?${'a[]=1&'.repeat(2_000)}`, 200);
get('/livez?__proto__[x]=1&constructor[prototype][y]=2&%=%', 200);
get('/%', 400);
get('/%zz', 400);
get('/%c0%ae%c0%ae/', 400);
get('/%00', 404);
get('//livez', 404);
get('/LIVEZ', 404);
get('/livez/', 404);
get('/./livez', 404);
get('/livez;jsessionid=1', 404);
get('/docs/..%2f..%2fpackage.json', 404);
get('/docs/%00', 404);
get('http://elsewhere.example/livez', 200);
get('/token_status/%00', 401);
get(`/token_status/${'x'.repeat(10_000)}`, 401);
get('/v2/nowhere', 404);
get('/v2/models/%00', 404);
get('/v2/models/__proto__', 404);
get('/v2/models/heart-failure/versions/%00', 404);
get('/v2/models/heart-failure/versions/__proto__/ready', 404);
get('/batches/%00', 404);
get('/batches?cursor=%00', 400);
get('/batches?limit=1&limit=2', 400);
get('/batches?limit=1e999', 400);
get('/batches?limit[__proto__]=1', 400);
get('/audit/predictions', 403);
one('a model called __proto__', { path: '/models/__proto__/predict', body: PREDICT }, 404);
one('a version called NUL', { path: '/models/heart-failure/versions/%00/predict', body: PREDICT }, 404);
one(
  'a version called like a path',
  { path: '/models/heart-failure/versions/..%2f1/predict', body: PREDICT },
  404,
);
one('a model in the query twice', { path: '/invocations?model=a&model=b', body: '{}' }, 400);
one('a model in the query that is NUL', { path: '/invocations?model=%00', body: '{}' }, 404);
for (const method of ['PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'SEARCH', 'QUERY']) {
  one(`${method} /predict`, { method, body: PREDICT }, 405);
}
one('OPTIONS *', { method: 'OPTIONS', path: '*' }, 404);
one('HEAD /livez', { method: 'HEAD', path: '/livez' }, 200, { isHead: true });
one('HEAD /predict', { method: 'HEAD' }, 405, { isHead: true });
one('GET with a body', { method: 'GET', path: '/livez', body: PREDICT }, 200);

// ---- What strangers may send.

const stranger = (
  name: string,
  path: string,
  body: string,
  status: number,
  type: Parts['type'] = 'application/json',
) => one(`${path}: ${name}`, { path, body, type, isStranger: true }, status);
const nested = (open: string, close: string, levels: number) => open.repeat(levels) + close.repeat(levels);
for (const path of ['/token', '/register-user']) {
  // The first two are more than these routes take.
  stranger('100 000 nested arrays', path, `{"username":${nested('[', ']', 1e5)}}`, 413);
  stranger(
    '80 000 keys',
    path,
    `{${Array.from({ length: 80_000 }, (_, index) => `"x${index}":1`).join()}}`,
    413,
  );
  stranger(
    '1 500 keys',
    path,
    `{${Array.from({ length: 1_500 }, (_, index) => `"x${index}":1`).join()}}`,
    400,
  );
  stranger('a name of nested arrays', path, `{"username":${nested('[', ']', 8_000)}}`, 400);
  stranger(
    'a name of nested objects',
    path,
    `{"username":${'{"a":'.repeat(2_500)}1${'}'.repeat(2_500)}}`,
    400,
  );
  stranger('nested arrays beside the name', path, `{"x":${nested('[', ']', 8_000)},"password":"p"}`, 400);
  stranger('nested arrays', path, nested('[', ']', 8_000), 400);
  stranger('an array of 5 000', path, `[${Array(5_000).fill('{}').join()}]`, 400);
  stranger('__proto__', path, '{"__proto__":{"username":"u","password":"p","email":"e@example.org"}}', 400);
  stranger('constructor', path, '{"constructor":{"prototype":{"username":"u"}},"password":"p"}', 400);
  stranger(
    'an object with a string’s members',
    path,
    '{"username":{"length":1,"toString":1},"password":["p"]}',
    400,
  );
  stranger('null', path, 'null', 400);
  stranger('no media type, and nothing in it', path, '{}', 400, null);
  stranger('no media type, and no JSON', path, 'username=u', 400, null);
  stranger('no media type, and more than is taken', path, `{"username":"${'x'.repeat(20_000)}"}`, 413, null);
  stranger('a string', path, '"x"', 400);
  stranger('numbers', path, '{"username":1e400,"password":1}', 400);
}
const LONG = 'x'.repeat(10_000);
stranger(
  'a long name',
  '/register-user',
  `{"username":"${LONG}","password":"p","email":"e@example.org"}`,
  400,
);
stranger(
  'a long address',
  '/register-user',
  `{"username":"u","password":"p","email":"${LONG}@example.org"}`,
  400,
);
stranger(
  'a long password',
  '/register-user',
  `{"username":"u","password":"${LONG}","email":"e@example.org"}`,
  400,
);
stranger(
  'NUL in the name',
  '/register-user',
  '{"username":"a\\u0000b","password":"p","email":"e@example.org"}',
  400,
);
stranger(
  'NUL in the password',
  '/register-user',
  '{"username":"u","password":"a\\u0000b","email":"e@example.org"}',
  400,
);
stranger('NUL in the name', '/token', '{"username":"a\\u0000b","password":"p"}', 401);
stranger('lone surrogates', '/token', '{"username":"\\ud800","password":"\\udfff"}', 401);

export const HOSTILE_REQUESTS: readonly HostileRequest[] = list;

/** What a refusal must never be, whatever was refused. */
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
