// A client of the API, with the types that openapi-typescript makes from the OpenAPI document. The test
// compiles it and never runs it. It uses the document as authors of clients do.

import createClient from "openapi-fetch";
import type { components, paths } from "./openapi";

type Problem = components["schemas"]["Problem"];
type Spec = components["schemas"]["Spec"];

const client = createClient<paths>({
  baseUrl: "http://127.0.0.1:4567",
  headers: { authorization: "Bearer easel_…" },
});

function refused(problem: Problem): Error {
  return new Error(`${problem.status} ${problem.code}: ${problem.detail} ${problem.pointer ?? ""}`);
}

export async function subscribe(spec: Spec): Promise<number> {
  const { data, error } = await client.POST("/v1/subscriptions", { body: spec });
  if (error !== undefined) throw refused(error);
  const state: "active" | "holding" | "paused" | "deactivated" = data.state;
  return state === "active" ? data.balance.pending : 0;
}

export async function slower(name: string): Promise<string> {
  const { data, error } = await client.PATCH("/v1/subscriptions/{name}", {
    params: { path: { name } },
    body: { webhook: { timeout: "30s" } },
  });
  if (error !== undefined) throw refused(error);
  return data.webhook?.url ?? data.sql?.url ?? "";
}

export async function* events(from: string): AsyncGenerator<components["schemas"]["Event"]> {
  for (;;) {
    const { data, error } = await client.GET("/v1/events", {
      params: { query: { from, limit: 100, wait: "30s" } },
    });
    if (error !== undefined) throw refused(error);
    yield* data.events;
    from = String(data.next);
  }
}

export async function send(event: Record<string, unknown>): Promise<number> {
  const { data, error } = await client.POST("/v1/events", { body: [event, event] });
  if (error !== undefined) throw refused(error);
  return data.accepted + data.duplicates;
}

export async function try_out(subscription: string): Promise<string> {
  const { data, error } = await client.POST("/v1/test-deliveries", { body: { subscription } });
  if (error !== undefined) throw refused(error);
  return data.delivered ? data.body : (data.error ?? "");
}

export async function admit(): Promise<number> {
  const { data, error } = await client.POST("/v1/quarantine/retry", {
    params: { query: { from: 0 } },
  });
  if (error !== undefined) throw refused(error);
  return data.admitted;
}

export async function last_event(source: string): Promise<string | null> {
  const body = { name: source, kind: "https" as const };
  const { data, error } = await client.POST("/v1/sources", { body });
  if (error !== undefined) throw refused(error);
  return data.last_event_at ?? null;
}

export async function token(name: string): Promise<string> {
  const body = { name, scopes: ["read" as const] };
  const { data, error } = await client.POST("/v1/tokens", { body });
  if (error !== undefined) throw refused(error);
  return data.token;
}

export async function renew(id: string): Promise<string> {
  const changed = await client.PATCH("/v1/tokens/{id}", {
    params: { path: { id } },
    body: { expires_at: "2030-01-01T00:00:00Z", max_requests_per_second: null },
  });
  if (changed.error !== undefined) throw refused(changed.error);
  const { data, error } = await client.POST("/v1/tokens/{id}/rotate", {
    params: { path: { id } },
    body: { overlap: "24h" },
  });
  if (error !== undefined) throw refused(error);
  return `${data.token} ${data.reach} ${data.overlap_ends_at ?? ""}`;
}

export async function ready(): Promise<boolean> {
  const { data, error } = await client.GET("/readyz");
  return (data ?? error)?.ready ?? false;
}
