import { isIP } from 'node:net';
import { z } from 'zod';

/** How many proxies are in front of this service, or which networks they are in. */
export type TrustedProxies = false | number | readonly string[];

const NAMED_NETWORKS = ['loopback', 'linklocal', 'uniquelocal'];

const RIGHT =
  'must be false, the number of proxies (1 to 99), or their networks, such as 10.0.0.0/8, loopback';

export const trustedProxies = z.string().transform((text, context): TrustedProxies => {
  if (text === 'false') return false;
  if (/^[1-9]\d?$/.test(text)) return Number(text);
  const networks = text.split(',').map((network) => network.trim());
  if (networks.every(isNetwork)) return networks;
  const isTrue = text === 'true';
  context.addIssue(isTrue ? `${RIGHT}; true would believe any address that a caller claims` : RIGHT);
  return z.NEVER;
});

function isNetwork(text: string): boolean {
  if (NAMED_NETWORKS.includes(text)) return true;
  const [, address, bits] = /^([^/]+)(?:\/([1-9]\d*))?$/.exec(text) ?? [];
  const version = isIP(address ?? '');
  return version !== 0 && Number(bits ?? 1) <= (version === 4 ? 32 : 128);
}
