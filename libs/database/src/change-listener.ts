import { randomUUID } from 'node:crypto';
import type { OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import type { DataSource } from 'typeorm';
import { Connection } from './connection.js';
import { poolOf } from './data-source.js';

/**
 * Receives changes that other processes commit (LISTEN/NOTIFY), so that what is kept in memory can be trusted.
 *
 * States: down → connecting → live → down …
 *
 * Invariants
 * - `isLive` only while a notification that we sent ourselves came back within the last `HEARTBEAT_LIMIT_MS`: it
 *   proves the very path that changes take, even through a pooler that would swallow notifications silently;
 * - code that keeps something in memory must not use it while the listener is not live, and drops all of it when
 *   `onReset` is called (after every gap, because notifications during the gap are lost).
 */
const HEARTBEAT_EVERY_MS = 200;
const HEARTBEAT_LIMIT_MS = 700;
const RECONNECT_AFTER_MS = 250;
const QUERY_TIMEOUT_MS = 2_000;

export class ChangeListener implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly handlers = new Map<string, (payload: string) => void>();
  private readonly resetHandlers: (() => void)[] = [];
  private readonly heartbeatChannel = `foretell_heartbeat_${randomUUID().replaceAll('-', '')}`;
  private client?: Connection;
  private timer?: NodeJS.Timeout;
  private lastHeartbeat = -Infinity;
  private closed = false;

  constructor(private readonly dataSource: DataSource) {}

  get isLive(): boolean {
    return performance.now() - this.lastHeartbeat < HEARTBEAT_LIMIT_MS;
  }

  /** `handler` gets the payload of every NOTIFY on `channel`; `onReset` is called after each gap. */
  subscribe(channel: string, handler: (payload: string) => void, onReset: () => void): void {
    this.handlers.set(channel, handler);
    this.resetHandlers.push(onReset);
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.connect();
  }

  async onApplicationShutdown(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    this.lastHeartbeat = -Infinity;
    await this.client?.end().catch(() => undefined);
  }

  private async connect(): Promise<void> {
    const client = new Connection({
      ...poolOf(this.dataSource).options,
      application_name: 'foretell listener',
      queryTimeoutMs: QUERY_TIMEOUT_MS,
    });
    client.on('error', () => this.reconnect(client));
    client.on('notification', ({ channel, payload }) => {
      if (channel === this.heartbeatChannel) this.lastHeartbeat = performance.now();
      else this.handlers.get(channel)?.(payload ?? '');
    });
    this.client = client;
    try {
      await client.connect();
      for (const channel of [this.heartbeatChannel, ...this.handlers.keys()]) {
        await client.query(`LISTEN ${channel}`);
      }
      for (const reset of this.resetHandlers) reset();
      await this.beat(client);
    } catch {
      this.reconnect(client);
    }
  }

  private async beat(client: Connection): Promise<void> {
    if (this.closed || client !== this.client) return;
    try {
      await client.query(`NOTIFY ${this.heartbeatChannel}`);
      this.timer = setTimeout(() => void this.beat(client), HEARTBEAT_EVERY_MS);
    } catch {
      this.reconnect(client);
    }
  }

  private reconnect(lost: Connection): void {
    if (this.closed || lost !== this.client) return;
    this.client = undefined;
    this.lastHeartbeat = -Infinity;
    clearTimeout(this.timer);
    void lost.end().catch(() => undefined);
    this.timer = setTimeout(() => void this.connect(), RECONNECT_AFTER_MS);
  }
}
