// An identity provider (oidc-provider for Node.js) whose tokens are sent to Easel.
//
// Usage: node oidc_provider.mjs NODE_MODULES. Prints the issuer. Then reads the URL of Easel from stdin, and prints
// one line per request: its name, the status and the code of the answer. The last line is `end`.

import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const require = createRequire(pathToFileURL(`${process.argv[2]}/`));
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const { Provider } = await load('oidc-provider');
const jose = await load('jose');

const RESOURCES = {
  'https://easel.example.edu/api': { audience: 'easel', accessTokenTTL: 300 },
  'https://easel.example.edu/short': { audience: 'easel', accessTokenTTL: 3 },
  'https://other.example.edu/': { audience: 'other', accessTokenTTL: 300 },
};
const CLAIMS = {
  confined: { school: '21070000000000007' },
  staff: { groups: ['teachers', 'easel-admins'] },
  star: { school: '*' },
  nobody: {},
};

async function newKey(kid) {
  const { privateKey, publicKey } = await jose.generateKeyPair('RS256', { extractable: true });
  return { kid, privateKey, publicKey, jwk: { ...(await jose.exportJWK(privateKey)), kid, alg: 'RS256', use: 'sig' } };
}

function provider(issuer, key) {
  const clients = Object.keys(CLAIMS).map((client_id) => ({
    client_id,
    client_secret: 'a secret of this test',
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
  }));
  return new Provider(issuer, {
    jwks: { keys: [key.jwk] },
    clients,
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context, resource) => ({
          ...RESOURCES[resource],
          scope: 'easel.read easel.manage',
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
    ttl: { ClientCredentials: (_context, token) => token.resourceServer?.accessTokenTTL ?? 300 },
    extraTokenClaims: (_context, token) => CLAIMS[token.clientId],
  });
}

/** Starts a server whose provider can be exchanged. */
async function listen() {
  let answer;
  const server = createServer((request, response) => answer(request, response));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${server.address().port}`;
  return { server, issuer, use: (key) => (answer = provider(issuer, key).callback()) };
}

async function tokenFrom(issuer, client, resource, scope) {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${client}:a secret of this test`.replaceAll(' ', '%20'))}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', resource, ...(scope && { scope }) }),
  });
  const json = await response.json();
  if (!json.access_token) throw new Error(JSON.stringify(json));
  return json.access_token;
}

const [one, two, stranger] = await Promise.all([newKey('one'), newKey('two'), newKey('stranger')]);
const [main, other] = await Promise.all([listen(), listen()]);
main.use(one);
other.use(one);
console.log(main.issuer);
const [easel] = await new Promise((resolve) => createInterface({ input: process.stdin }).once('line', (line) => resolve([line])));

const api = 'https://easel.example.edu/api';
const both = 'easel.read easel.manage';

async function ask(token, path = '/v1/events?limit=1', method = 'GET', body = undefined) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const response = await fetch(easel + path, { method, headers, body });
  const text = await response.text();
  return { status: response.status, json: text.startsWith('{') ? JSON.parse(text) : {} };
}
async function check(name, ...request) {
  const { status, json } = await ask(...request);
  console.log(name, status, json.code ?? json.reach ?? '-');
}

const confined = await tokenFrom(main.issuer, 'confined', api, both);
const staff = await tokenFrom(main.issuer, 'staff', api, both);
const claims = jose.decodeJwt(confined);
const signed = (key, algorithm, kid) =>
  new jose.SignJWT(claims).setProtectedHeader({ alg: algorithm, kid, typ: 'at+jwt' }).sign(key);
const create = JSON.stringify({ name: 'made', scopes: ['read'] });
const createAll = JSON.stringify({ name: 'made', scopes: ['read'], reach: '*' });

await check('right', confined);
await check('confined-makes-confined', confined, '/v1/tokens', 'POST', create);
await check('confined-makes-everything', confined, '/v1/tokens', 'POST', createAll);
await check('staff-makes-everything', staff, '/v1/tokens', 'POST', createAll);
await check('read-only', await tokenFrom(main.issuer, 'staff', api, 'easel.read'), '/v1/tokens', 'POST', create);
await check('no-scope', await tokenFrom(main.issuer, 'staff', api));
await check('no-reach', await tokenFrom(main.issuer, 'nobody', api, both));
await check('star-reach', await tokenFrom(main.issuer, 'star', api, both));
await check('wrong-audience', await tokenFrom(main.issuer, 'staff', 'https://other.example.edu/', both));
await check('wrong-issuer', await tokenFrom(other.issuer, 'staff', api, both));
const none = [{ alg: 'none', kid: 'one' }, claims].map((part) => jose.base64url.encode(JSON.stringify(part)));
await check('alg-none', `${none.join('.')}.`);
const publicBytes = new TextEncoder().encode(await jose.exportSPKI(one.publicKey));
await check('hs256-with-the-public-key', await signed(publicBytes, 'HS256', 'one'));
await check('forged', await signed(stranger.privateKey, 'RS256', 'one'));
await check('unknown-kid', await signed(stranger.privateKey, 'RS256', 'stranger'));
const { exp, ...endless } = claims;
const withoutExpiry = new jose.SignJWT(endless).setProtectedHeader({ alg: 'RS256', kid: 'one' });
await check('no-expiry', await withoutExpiry.sign(one.privateKey));
await check('easel-prefix', `easel_${confined}`);

// A stream ends when its token expires. Then the token is refused.
const short = await tokenFrom(main.issuer, 'staff', 'https://easel.example.edu/short', both);
const stream = await fetch(`${easel}/v1/events/stream`, { headers: { authorization: `Bearer ${short}` } });
await stream.text();
console.log('stream-ended', stream.status, Date.now() / 1000 >= jose.decodeJwt(short).exp ? 'after-expiry' : 'too-early');
await check('expired', short);

// The provider changes its key. Easel learns the new one; tokens of the old key are refused then.
main.use(two);
const renewed = await tokenFrom(main.issuer, 'staff', api, both);
while ((await ask(renewed)).status === 401) await new Promise((resolve) => setTimeout(resolve, 500));
await check('new-key', renewed);
await check('old-key', confined);

// Known keys stay when the provider is away.
main.server.closeAllConnections();
main.server.close();
await check('provider-away', renewed);
console.log('end');
process.exit(0);
