/** Fastify with a fixed answer and nothing behind it: JSON in, JSON out, neither model nor database nor token. */
import { FastifyAdapter } from '@nestjs/platform-fastify';

const server = new FastifyAdapter().getInstance();
server.post('/predict', () => ({ yhat_prob: '0.5124506', yhat: '1' }));
const url = await server.listen({ port: 0, host: '127.0.0.1' });
process.send?.({ url });
process.on('SIGTERM', () => process.exit(0));
