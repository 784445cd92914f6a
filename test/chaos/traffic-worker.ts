/**
 * The thread behind traffic.ts. Bare sockets, as in bench/load.ts: the generator shares the cores with what it
 * measures.
 */
import { connect, type Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { now, patient, type Exchange, type TrafficOptions } from './traffic.js';

const options = workerData as TrafficOptions & { answered: Int32Array };
const {
  connections,
  rate,
  name,
  token,
  body,
  from,
  restMs = 0,
  pauseMs = 0,
  patienceMs = 30_000,
  path = '/predict',
} = options;
const { hostname, port } = new URL(options.url);
const RECONNECT_MS = 20;
const TICK_MS = 2;

const fixed =
  `POST ${path} HTTP/1.1\r\nHost: ${hostname}\r\nContent-Type: application/json\r\n` +
  (token ? `Authorization: Bearer ${token}\r\n` : '');

function requestOf(number: number): string {
  const content = body === undefined ? JSON.stringify(patient(number)) : body.replaceAll('{n}', `${number}`);
  return (
    fixed +
    (name ? `X-Request-Id: ${name}-${number}\r\n` : '') +
    (options.keyed ? `Idempotency-Key: ${name}-${number}\r\n` : '') +
    (from ? `X-Forwarded-For: ${addressOf(number)}\r\n` : '') +
    `Content-Length: ${Buffer.byteLength(content)}\r\n\r\n${content}`
  );
}
/** `from`, with the number in two parts: an address has no room for it in one. */
function addressOf(number: number): string {
  return from!.replace('{high}', `${Math.floor(number / 1000)}`).replace('{low}', `${number % 1000}`);
}

/** If requests need not be distinguished, one is built for all. */
const same = name || body !== undefined || from ? undefined : Buffer.from(requestOf(0));

const list: Exchange[] = [];
let withoutRetryAfter = 0;

let nextNumber = options.firstNumber ?? 0;
let stopping = false;
/** Due, and waiting for a connection. */
const meant: number[] = [];
let meantHead = 0;
const free: Connection[] = [];
let open = 0;

class Connection {
  private socket!: Socket;
  private received = '';
  private length = -1;
  private number = -1;
  private meantAt = 0;
  private sentAt = 0;

  constructor() {
    open++;
    this.connect();
  }

  private connect(): void {
    this.socket = connect(Number(port), hostname, () => this.next());
    this.socket.setNoDelay(true);
    this.socket.on('data', (chunk) => this.take(chunk));
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => this.lost());
  }

  /** Sends the request that has waited longest, or waits itself. */
  next(): void {
    if (rate === undefined) {
      if (stopping) this.end();
      else this.send(now());
    } else if (meantHead < meant.length && !stopping) {
      this.send(meant[meantHead++]!);
    } else if (stopping) this.end();
    else free.push(this);
  }

  send(meantAt: number): void {
    this.number = nextNumber++;
    this.meantAt = meantAt;
    this.sentAt = now();
    this.received = '';
    this.length = -1;
    this.socket.write(same ?? requestOf(this.number));
  }

  end(): void {
    this.socket.destroy();
  }

  private take(chunk: Buffer): void {
    // Every answer of the service is ASCII except for texts that a caller sent, and these send none.
    this.received =
      this.received === '' ? chunk.toString('latin1') : this.received + chunk.toString('latin1');
    if (this.length < 0) {
      const head = this.received.indexOf('\r\n\r\n');
      if (head < 0) return;
      this.length = head + 4 + Number(/content-length: *(\d+)/i.exec(this.received)?.[1] ?? 0);
    }
    if (this.received.length < this.length || this.number < 0) return;
    const status = Number(this.received.slice(9, 12));
    const head = this.received.indexOf('\r\n\r\n');
    if (
      (status === 503 || status === 429) &&
      !/\r\nretry-after: *\d+\r\n/i.test(this.received.slice(0, head + 2))
    )
      withoutRetryAfter++;
    this.done(status, name && status === 200 ? this.received.slice(head + 4) : '');
    const idleMs = (status === 200 ? 0 : restMs) + Math.random() * pauseMs;
    if (idleMs > 0) setTimeout(() => this.next(), idleMs);
    else this.next();
  }

  private done(status: number, text: string): void {
    const { number, meantAt, sentAt } = this;
    list.push({ number, meantAt, sentAt, endedAt: now(), status, body: text });
    if (status === 200) Atomics.add(options.answered, 0, 1);
    this.number = -1;
  }

  private lost(): void {
    const index = free.indexOf(this);
    if (index >= 0) free.splice(index, 1);
    if (this.number >= 0) this.done(0, '');
    if (!stopping) {
      setTimeout(() => (stopping ? this.closed() : this.connect()), RECONNECT_MS);
      return;
    }
    this.closed();
  }

  private closed(): void {
    if (--open === 0) finish();
  }
}

let ticking: NodeJS.Timeout | undefined;
parentPort!.once('message', stop);
/** Beyond a server's backlog, connections succeed only on the second attempt, a second later. */
const AT_ONCE = 64;
const all: Connection[] = [];
while (all.length < connections) {
  for (let number = 0; number < AT_ONCE && all.length < connections; number++) all.push(new Connection());
  await new Promise((resolve) => setTimeout(resolve, 10));
}

// The measurement starts when all are connected.
while (rate !== undefined && free.length < connections && !stopping)
  await new Promise((resolve) => setTimeout(resolve, 10));

const startedAt = now();
let made = 0;
ticking =
  rate === undefined
    ? undefined
    : setInterval(() => {
        const due = Math.floor(((now() - startedAt) / 1000) * rate);
        for (; made < due; made++) {
          const at = startedAt + (made / rate) * 1000;
          const connection = free.pop();
          if (connection) connection.send(at);
          else meant.push(at);
        }
      }, TICK_MS);

function stop(): void {
  stopping = true;
  clearInterval(ticking);
  for (const connection of free.splice(0)) connection.end();
  setTimeout(() => all.forEach((connection) => connection.end()), patienceMs).unref();
}

let finished = false;
function finish(): void {
  if (finished) return;
  finished = true;
  parentPort!.postMessage({ list, unsent: meant.length - meantHead, withoutRetryAfter });
}
