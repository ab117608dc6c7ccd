// Calls the Kinesis door with AWS's SDK for JavaScript, for kinesis_clients.py.
//
// Usage: node kinesis_bridge.mjs NODE_MODULES ENDPOINT http1|http2
//
// The key pair is in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Each line on stdin is a call,
// {"operation": "PutRecord", "arguments": {…}}; each line on stdout is its answer,
// {"answer": {…}} or {"refused": NAME}. Data is in base64, times are seconds since 1970.

import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

const [modules, endpoint, protocol] = process.argv.slice(2);
const require = createRequire(join(modules, "anything.js"));
const sdk = require("@aws-sdk/client-kinesis");
const { NodeHttpHandler } = require("@smithy/node-http-handler");

// Only HTTP/1.1 needs a handler: HTTP/2 is the SDK's default.
const client = new sdk.KinesisClient({
  endpoint,
  region: "us-east-1",
  // A second attempt would hide the failure of the first.
  maxAttempts: 1,
  ...(protocol === "http1" ? { requestHandler: new NodeHttpHandler() } : {}),
});

// The handler's name of its protocol: "h2" or "http/1.1".
const handlerProtocol = client.config.requestHandler.metadata?.handlerProtocol ?? "http/1.1";
if (handlerProtocol.startsWith("h2") !== (protocol === "http2")) {
  throw new Error(`the SDK uses ${handlerProtocol}, not ${protocol}`);
}

/** Copies a value. `convert` returns the new value of a member, or undefined to copy the member too. */
function converted(value, convert) {
  if (Array.isArray(value)) {
    return value.map((element) => converted(element, convert));
  }
  if (value === null || typeof value !== "object" || Object.getPrototypeOf(value) !== Object.prototype) {
    return value;
  }
  const members = Object.entries(value).filter(([name]) => name !== "$metadata");
  return Object.fromEntries(
    members.map(([name, member]) => [name, convert(name, member) ?? converted(member, convert)]),
  );
}

const fromJson = (name, member) => {
  if (name === "Data") return Buffer.from(member, "base64");
  if (name === "Timestamp") return new Date(member * 1000);
  return undefined;
};

const toJson = (_name, member) => {
  if (member instanceof Uint8Array) return Buffer.from(member).toString("base64");
  if (member instanceof Date) return member.getTime() / 1000;
  return undefined;
};

for await (const line of createInterface({ input: process.stdin })) {
  const call = JSON.parse(line);
  let reply;
  try {
    const command = new sdk[`${call.operation}Command`](converted(call.arguments, fromJson));
    reply = { answer: converted(await client.send(command), toJson) };
  } catch (error) {
    reply = { refused: error.name };
  }
  process.stdout.write(JSON.stringify(reply) + "\n");
}
client.destroy();
