import { isIP } from 'node:net';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import ipaddr from 'ipaddr.js';

/**
 * Where a call comes from, as far as callers are counted: an IPv4 address or the 64 bits of an IPv6 network, because one
 * customer has all of its addresses to choose from (RFC 6177). What a trusted proxy put in `X-Forwarded-For` may be
 * anything: whatever is no address counts as one caller.
 */
export function callerNetwork({ ip }: Pick<FastifyRequest, 'ip'>): string {
  const text = withoutPort(ip ?? '');
  if (isIP(text) === 0) return 'unknown';
  // IPv4 that is mapped into IPv6 is IPv4.
  const address = ipaddr.process(text);
  if (!(address instanceof ipaddr.IPv6)) return address.toString();
  const network = address.parts.slice(0, 4).map((part) => part.toString(16));
  return `${network.join(':')}::/64`;
}

/** Some proxies add it, and it is another for every connection. */
function withoutPort(text: string): string {
  return /^\[(.*)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
}

export const CallerNetwork = createParamDecorator((_: unknown, context: ExecutionContext) =>
  callerNetwork(context.switchToHttp().getRequest<FastifyRequest>()),
);
