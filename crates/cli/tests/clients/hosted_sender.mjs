// Sends events as a hosted Canvas does, signed by the npm package jose.
//
// Makes two RSA keys and writes their JWK set to the file JWKS. Sends each line of stdin, an event, to the
// URL, signed by each key and in quotes. Then sends forged requests. Prints a JSON object with the number of
// answers by status, for the two groups.

import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [url, jwksFile, nodeModules] = process.argv.slice(2);
const require = createRequire(`${nodeModules}/`);
const jose = await import(pathToFileURL(require.resolve("jose")).href);

const issuer = "https://live-events.canvas.instructure.com";
const kids = ["current", "next"];
const pairs = await Promise.all(kids.map(() => jose.generateKeyPair("RS256", { extractable: true })));
const keys = await Promise.all(
  pairs.map(async ({ publicKey }, index) => ({
    ...(await jose.exportJWK(publicKey)),
    kid: kids[index],
    alg: "RS256",
    use: "sig",
  })),
);
writeFileSync(jwksFile, JSON.stringify({ keys }));
console.log("keys");

const events = readFileSync(0, "utf8").trim().split("\n").map((line) => JSON.parse(line));

async function post(body) {
  const answer = await fetch(url, { method: "POST", body, headers: { "content-type": "application/json" } });
  await answer.arrayBuffer();
  return answer.status;
}

function sign(claims, index, change = (jwt) => jwt) {
  const jwt = new jose.SignJWT(claims).setIssuer(issuer).setIssuedAt();
  const header = { alg: "RS256", typ: "JWT", kid: kids[index] };
  return change(jwt.setProtectedHeader(header)).sign(pairs[index].privateKey);
}

function counter() {
  const counts = {};
  return { counts, add: (status) => (counts[status] = (counts[status] ?? 0) + 1) };
}

const good = counter();
for (const event of events) {
  for (const index of [0, 1]) {
    good.add(await post(JSON.stringify(await sign(event, index))));
  }
}

const forged = counter();
const [event] = events;
forged.add(await post(await sign(event, 0, (jwt) => jwt.setIssuer("https://canvas.example"))));
forged.add(await post(await sign(event, 0, (jwt) => jwt.setExpirationTime("10 minutes ago"))));
forged.add(await post(await sign(event, 0, (jwt) => jwt.setNotBefore("10 minutes"))));
forged.add(await post(new jose.UnsecuredJWT(event).setIssuer(issuer).encode()));
const secret = new TextEncoder().encode(JSON.stringify(keys[0]));
const hmac = new jose.SignJWT(event).setIssuer(issuer).setProtectedHeader({ alg: "HS256", kid: kids[0] });
forged.add(await post(await hmac.sign(secret)));
const token = await sign(event, 0);
forged.add(await post(`${token.slice(0, -4)}AAAA`));
console.log(JSON.stringify({ good: good.counts, forged: forged.counts }));
