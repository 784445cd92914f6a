import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** The road to a server: what travels it can be delayed, or the road cut. */
export class Road {
  /** What sets out now arrives so much later, in either direction. */
  delayMs = 0;
  /** What the server says gets lost, while what it is told arrives. */
  losesAnswers = false;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    /** The server's address, by this road. */
    readonly url: string,
  ) {}

  static async open(url: string): Promise<Road> {
    const target = new URL(url);
    const server = createServer((incoming) => {
      const outgoing = connect(Number(target.port), target.hostname);
      road.carry(incoming, outgoing, () => false);
      road.carry(outgoing, incoming, () => road.losesAnswers);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const entry = new URL(url);
    entry.port = String((server.address() as AddressInfo).port);
    const road = new Road(server, entry.href);
    return road;
  }

  /** Whatever is on its way is lost. */
  cut(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  close(): void {
    this.server.close();
    this.cut();
  }

  private carry(from: Socket, to: Socket, isLost: () => boolean): void {
    this.sockets.add(from);
    from.setNoDelay(true);
    from.on('data', (chunk) => {
      if (isLost()) return;
      if (this.delayMs === 0) to.write(chunk);
      else setTimeout(() => to.write(chunk), this.delayMs);
    });
    from.on('error', () => to.destroy());
    to.on('error', () => undefined);
    from.on('close', () => {
      this.sockets.delete(from);
      to.destroy();
    });
  }
}
