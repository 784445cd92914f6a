import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** The network path to a server: data can be delayed, held up or lost, and the path cut or closed in one direction. */
export class Road {
  /** Data sent from now on arrives this much later, in either direction. */
  delayMs = 0;
  /** Data from the server is lost, while data to it arrives. */
  losesAnswers = false;
  /** Nothing arrives, in either direction, without notice; data sent meanwhile arrives afterwards. */
  private isBlocked = false;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    /** The server's address through this path. */
    readonly url: string,
  ) {}

  static async open(url: string): Promise<Road> {
    const target = new URL(url);
    const server = createServer({ allowHalfOpen: true }, (incoming) => {
      const outgoing = connect({ port: Number(target.port), host: target.hostname, allowHalfOpen: true });
      road.carry(incoming, outgoing, () => false);
      road.carry(outgoing, incoming, () => road.losesAnswers);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const entry = new URL(url);
    entry.port = String((server.address() as AddressInfo).port);
    const road = new Road(server, entry.href);
    return road;
  }

  /** Data in flight is lost. */
  cut(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  block(): void {
    this.isBlocked = true;
    for (const socket of this.sockets) socket.pause();
  }

  unblock(): void {
    this.isBlocked = false;
    for (const socket of this.sockets) socket.resume();
  }

  /** Each end sees that the other will send no more, and may go on sending itself. */
  halfClose(): void {
    for (const socket of this.sockets) socket.end();
  }

  /** From now on no one can connect. */
  close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.cut();
    return closed;
  }

  async reopen(): Promise<void> {
    this.server.listen(Number(new URL(this.url).port), '127.0.0.1');
    await once(this.server, 'listening');
  }

  private carry(from: Socket, to: Socket, isLost: () => boolean): void {
    this.sockets.add(from);
    if (this.isBlocked) from.pause();
    from.setNoDelay(true);
    from.on('data', (chunk) => {
      if (isLost()) return;
      if (this.delayMs === 0) to.write(chunk);
      else setTimeout(() => to.write(chunk), this.delayMs);
    });
    from.on('end', () => to.end());
    from.on('error', () => to.destroy());
    to.on('error', () => undefined);
    from.on('close', () => {
      this.sockets.delete(from);
      to.destroy();
    });
  }
}
