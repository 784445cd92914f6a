import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startApi, type ApiProcess } from '../support/test-api.js';
import { createUser } from '../support/client.js';
import { freePort } from '../support/free-port.js';
import { haproxyVersion, startHaproxy, type Haproxy } from '../support/haproxy.js';
import { prepareDatabase, prepareService } from '../support/prepared-service.js';

const hasHaproxy = haproxyVersion() !== undefined;
if (!hasHaproxy) console.warn('Foretell is not tried behind HAProxy: there is none. apt-get install haproxy');

const database = prepareDatabase();

/** `X-Forwarded-For`, a list as several headers; or the address to call from: the whole loopback network is ours. */
type Sent = string | string[] | { localAddress: string };

/** @returns the status of a login with a wrong password */
function fail(url: string, username: string, sent: Sent): Promise<number> {
  const body = JSON.stringify({ username, password: 'wrong' });
  const isForwarded = typeof sent === 'string' || Array.isArray(sent);
  return new Promise((resolve, reject) => {
    const call = request(
      `${url}/token`,
      {
        method: 'POST',
        localAddress: isForwarded ? undefined : sent.localAddress,
        agent: false,
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          ...(isForwarded && { 'x-forwarded-for': sent }),
        },
      },
      (answer) => {
        answer.resume().once('end', () => resolve(answer.statusCode!));
      },
    );
    call.once('error', reject);
    call.end(body);
  });
}

describe.skipIf(!hasHaproxy)('behind HAProxy with the configuration that we recommend', () => {
  describe.each(['1', 'loopback'])('and TRUST_PROXY=%s', (TRUST_PROXY) => {
    let api: ApiProcess;
    let proxy: Haproxy;

    beforeAll(async () => {
      const port = await freePort();
      api = await startApi({ DATABASE_URL: database.url, TRUST_PROXY, PORT: String(port) });
      proxy = await startHaproxy([port, await freePort()]);
    });

    afterAll(async () => {
      await proxy?.stop();
      await api?.stop();
    });

    test('a caller who invents addresses is still throttled', async () => {
      const { username } = await createUser(proxy, database);
      const statuses: number[] = [];
      for (let attempt = 0; attempt < 40; attempt++) {
        const invented = `198.51.100.${attempt}`;
        const forwarded = attempt % 2 ? invented : [invented, `${invented}, 127.0.0.1`];
        statuses.push(await fail(proxy.url, username, forwarded));
      }
      expect(statuses).toEqual([...Array<number>(10).fill(401), ...Array<number>(30).fill(429)]);
    });

    test('callers are distinguished by their real addresses', async () => {
      const { username } = await createUser(proxy, database);
      const failFrom = (localAddress: string) => fail(proxy.url, username, { localAddress });
      for (let attempt = 0; attempt < 10; attempt++) expect(await failFrom('127.0.0.2')).toBe(401);
      expect(await failFrom('127.0.0.2')).toBe(429);
      expect(await failFrom('127.0.0.3')).toBe(401);
    });
  });
});

/** With a limit of one, the second login of a username is refused if both count as the same caller. */
describe.each<[string, string, [string, Sent, Sent][], [string, Sent, Sent][]]>([
  [
    'false',
    'false',
    [['whatever they claim', '192.0.2.1', '192.0.2.2']],
    [['another machine', { localAddress: '127.0.0.2' }, { localAddress: '127.0.0.3' }]],
  ],
  [
    'two hops',
    '2',
    [
      [
        'the second from the right, whatever is left of it',
        'x, 192.0.2.1, 10.0.0.1',
        'y, 192.0.2.1, 10.0.0.1',
      ],
      ['the same in headers of their own', ['a', '192.0.2.9, 10.0.0.1'], ['b, 192.0.2.9', '10.0.0.1']],
      ['with its port', '192.0.2.3:4000, 10.0.0.1', '192.0.2.3:4001, 10.0.0.1'],
      [
        'an IPv6 network of 64 bits',
        '2001:db8:1:2::1, 10.0.0.1',
        '[2001:db8:1:2:ffff:ffff:ffff:ffff]:443, 10.0.0.1',
      ],
      ['IPv4 and the same mapped into IPv6', '192.0.2.4, 10.0.0.1', '::ffff:192.0.2.4, 10.0.0.1'],
      [
        'IPv4 mapped into IPv6 in another notation',
        '192.0.2.5, 10.0.0.1',
        '0:0:0:0:0:FFFF:C000:205, 10.0.0.1',
      ],
      ['what is no address', 'unknown, 10.0.0.1', `_hidden-${'x'.repeat(4000)}, 10.0.0.1`],
    ],
    [
      ['other addresses', 'x, 192.0.2.1, 10.0.0.1', 'x, 192.0.2.2, 10.0.0.1'],
      ['other networks of IPv6', '2001:db8:1:3::1, 10.0.0.1', '2001:db8:1:4::1, 10.0.0.1'],
      [
        'IPv4 mapped into IPv6, which share their first 64 bits',
        '::ffff:192.0.2.6, 10.0.0.1',
        '::ffff:192.0.2.7, 10.0.0.1',
      ],
    ],
  ],
  [
    'networks',
    '10.0.0.0/8, loopback,2001:db8:f::/48',
    [['the first from the right that is no proxy', 'x, 192.0.2.1, 2001:db8:f::1, 10.9.8.7', 'y, 192.0.2.1']],
    [['other addresses', '192.0.2.1, 10.0.0.1', '192.0.2.2, 10.0.0.1']],
  ],
])('with TRUST_PROXY of %s', (_, TRUST_PROXY, same, different) => {
  const { api } = prepareService({ TRUST_PROXY, LOGIN_FAILURES_PER_MINUTE: '1' }, { database });

  const nobody = () => `nobody-${Math.random().toString(36).slice(2)}`;

  test.each(same)('one caller: %s', async (_, first, second) => {
    const username = nobody();
    expect([await fail(api.url, username, first), await fail(api.url, username, second)]).toEqual([401, 429]);
  });

  test.each(different)('two callers: %s', async (_, first, second) => {
    const username = nobody();
    expect([await fail(api.url, username, first), await fail(api.url, username, second)]).toEqual([401, 401]);
  });

  test.each<[string, string | string[]]>([
    ['nothing', ''],
    ['blanks', '   '],
    ['commas', ',,,, , ,'],
    ['thousands of commas', ','.repeat(8_000)],
    ['thousands of addresses', Array(700).fill('192.0.2.1').join()],
    ['a long word', 'x'.repeat(12_000)],
    ['bytes that are no ASCII', '\xe9\xff'],
    ['a port of nothing', ':80'],
    ['brackets', '[]:[[::1'],
    ['a zone', 'fe80::1%eth0'],
    ['a number', '2130706433'],
    ['many headers', Array(100).fill('[::1]')],
  ])('%s in the header does not fail a request', async (_, forwarded) => {
    expect(await fail(api.url, nobody(), forwarded)).toBeOneOf([401, 429]);
  });
});

test.each<[string, RegExp]>([
  ['true', /TRUST_PROXY: .*true would believe any address that a caller claims/],
  ['0', /TRUST_PROXY: must be/],
  ['yes', /TRUST_PROXY: must be/],
  ['10.0.0.0/33', /TRUST_PROXY: must be/],
  ['10.0.0.1,,10.0.0.2', /TRUST_PROXY: must be/],
  ['0x7f.1', /TRUST_PROXY: must be/],
])('TRUST_PROXY=%s is refused at the start, with the accepted values', async (TRUST_PROXY, reason) => {
  await expect(startApi({ DATABASE_URL: database.url, TRUST_PROXY })).rejects.toThrow(reason);
});
