// A small admin server with made-up data, to look at the dashboard without a Worker and to put it into states that a
// Worker is rarely in: empty, slow, failing, hostile names.
//
//   node tests/worker/dashboard/mock.mjs [port]      token: local-admin
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { HOSTILE, analytics, history, keys, makeRequest, policies, providers, random, rules, targets } from "./data.mjs";
import { lint, simulate, versionOf } from "./domain.mjs";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };

/** `mode`: `full`, `empty`, `failing` (every read 500), `hostile`. */
export async function startMock({ port = 0, mode = "full", token = "local-admin", delay = 0, dist = resolve(root, "dist"), traffic = 0 } = {}) {
  const state = freshState(mode);
  const live = new Set();
  const next = random(99);

  /** Records a request, as if it had just ended, and tells who watches. */
  const emit = (force) => {
    const request = makeRequest(next, Date.now(), force);
    state.requests.unshift(request);
    const { attempts, ...summary } = request;
    for (const response of live) response.write(`event: request\ndata: ${JSON.stringify({ ...summary, attempts: attempts.length })}\n\n`);
    return request;
  };

  const server = createServer(async (request, response) => {
    const url = new URL(request.url, "http://localhost");
    if (delay) await new Promise((done) => setTimeout(done, delay));
    if (!url.pathname.startsWith("/admin")) return asset(url.pathname, response, dist, state, emit, request);
    const reply = (status, body, headers = {}) => {
      response.writeHead(status, { "content-type": "application/json", ...headers });
      response.end(body === undefined ? "" : JSON.stringify(body));
    };
    const fail = (status, message, code, more = {}) => reply(status, { error: { message, type: "invalid_request_error", code, param: null, ...more } });
    if (request.headers.authorization !== `Bearer ${token}`) return fail(401, "the admin token is missing or wrong", "invalid_admin_token");
    if (mode === "failing" && url.pathname !== "/admin/policies") return fail(503, "the ledger did not answer within 2000 ms", "store_unavailable");
    if (mode === "failing" && url.searchParams.size === 0 && state.signedIn) return fail(503, "KV did not answer and there is no copy of this list yet", "store_unavailable");
    state.signedIn = true;
    const body = await readBody(request);
    const parts = url.pathname.split("/").slice(2).map(decodeURIComponent);
    answer({ method: request.method, parts, url, body, state, reply, fail, live, response, request });
  });

  await new Promise((done) => server.listen(port, "127.0.0.1", done));
  const timer = traffic ? setInterval(() => emit(), traffic) : null;
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    token,
    emit,
    state,
    close: () => {
      clearInterval(timer);
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    },
  };
}

function freshState(mode) {
  const empty = mode === "empty";
  const state = { policies: new Map(), versions: new Map(), rules: empty ? { rules: {}, rulesets: [] } : rules(), keys: empty ? [] : keys(), requests: empty ? [] : history(), providers: providers(), targets: empty ? [] : targets, empty, audit: [] };
  for (const [name, document] of Object.entries(empty ? {} : policies())) store(state, name, document, "seed");
  if (mode === "hostile") {
    store(state, HOSTILE, { description: HOSTILE, chain: [{ model: HOSTILE, degraded: HOSTILE }] }, HOSTILE);
    state.rules.rules[HOSTILE] = { description: HOSTILE, when: { model: HOSTILE }, then: { deny: HOSTILE } };
    state.rules.rulesets.push({ name: HOSTILE, description: HOSTILE, when: {}, rules: [HOSTILE] });
    state.keys.push({ ...keys()[0], id: HOSTILE, name: HOSTILE, group: HOSTILE, allow: [HOSTILE] });
    state.requests.unshift(makeRequest(random(3), Date.now(), { fields: { id: "hostile-1", policy: HOSTILE, user: HOSTILE, group: HOSTILE, model: HOSTILE, outcome: HOSTILE, asked: HOSTILE, attempts: [{ seq: 0, model: HOSTILE, outcome: HOSTILE, reason: HOSTILE, code: HOSTILE, status: 500, ms: 10, call: true, key: HOSTILE, tokens: { input: 0, output: 0, cached: 0 }, cost_usd: 0, billed: "no" }] } }));
    state.providers.push({ ...providers()[0], name: HOSTILE, missing: HOSTILE, configured: false, base_url: HOSTILE });
    state.targets = [...targets, { ...targets[0], model: HOSTILE, missing: HOSTILE, configured: false }];
  }
  return state;
}

function store(state, name, document, by) {
  const version = versionOf(document);
  state.policies.set(name, { name, version, document, updated_at: new Date().toISOString() });
  const list = state.versions.get(name) ?? [];
  list.unshift({ version, at: new Date(Date.now() - (by === "seed" ? 3 * 86400e3 : 0)).toISOString(), by, document });
  state.versions.set(name, list.slice(0, 20));
  state.audit.unshift({ at: new Date().toISOString(), by, action: "put", what: `policy:${name}`, version });
  return version;
}

function answer(context) {
  const { method, parts, url, body, state, reply, fail, live, response, request } = context;
  const [what, name, verb] = parts;
  const query = url.searchParams;
  if (what === "policies") return policyRoute(context);
  if (what === "lint") return reply(200, lint(body, state.policies));
  if (what === "rules" || what === "models") {
    if (method === "PUT") state[what] = body;
    return reply(200, { version: versionOf(state[what] ?? {}), document: state[what] ?? {}, ...(state[what] ?? {}), findings: [] }, { etag: `"${versionOf(state[what] ?? {})}"` });
  }
  if (what === "targets") return reply(200, { data: state.targets.map((target, n) => ({ ...target, outcomes: n % 2 ? { ok: 412 + 97 * n } : { ok: 1310 - 101 * n, overloaded: 41, rate_limited: 12, timeout: 7 * n } })) });
  if (what === "providers") {
    if (method === "PUT") state.providers.push({ name, builtin: false, configured: true, missing: null, ...body, document: body });
    if (method === "DELETE") state.providers = state.providers.filter((provider) => provider.name !== name || provider.builtin);
    if (method === "DELETE") return reply(204);
    return reply(200, name ? { name, document: body } : { data: state.providers });
  }
  if (what === "keys") return keyRoute(context);
  if (what === "audit") return reply(200, { data: state.audit });
  if (what === "analytics") {
    const to = query.has("to") ? Date.parse(query.get("to")) : Date.now();
    const from = query.has("from") ? Date.parse(query.get("from")) : to - 86400e3;
    const bucket = { minute: 60e3, hour: 3600e3, day: 86400e3 }[query.get("bucket") ?? "hour"];
    if (state.empty) return reply(200, { totals: { requests: 0, succeeded: 0, fallbacks: 0, attempts: 0, tokens: { input: 0, output: 0, cached: 0 }, cost_usd: 0, wasted_usd: 0, p50_ms: null, p90_ms: null, p99_ms: null }, targets: [], series: [] });
    return reply(200, analytics(from, to, bucket, query.get("policy") ? 0.6 : 1));
  }
  if (what === "live") {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    response.write(": hello\n\n");
    live.add(response);
    request.on("close", () => live.delete(response));
    return;
  }
  if (what === "requests" && name) {
    const found = state.requests.find((entry) => entry.id === name || entry.ledger_id === name);
    return found ? reply(200, { ...found, others: [] }) : fail(404, `no request "${name}" is on record`, "not_found");
  }
  if (what === "requests") {
    let list = state.requests;
    if (query.get("policy")) list = list.filter((entry) => entry.policy === query.get("policy"));
    if (query.get("user")) list = list.filter((entry) => entry.user === query.get("user"));
    if (query.get("fallback")) list = list.filter((entry) => String(entry.fallback) === query.get("fallback"));
    if (query.get("class")) list = list.filter((entry) => entry.attempts.some((attempt) => attempt.outcome === query.get("class")));
    if (query.get("target")) list = list.filter((entry) => entry.attempts.some((attempt) => attempt.model === query.get("target")));
    const start = Number(query.get("before") ?? 0);
    const limit = Number(query.get("limit") ?? 50);
    const page = list.slice(start, start + limit).map(({ attempts, ...entry }) => ({ ...entry, attempts: attempts.length }));
    return reply(200, { data: page, next: start + limit < list.length ? String(start + limit) : null });
  }
  return fail(404, `no such route: ${url.pathname} ${verb ?? ""}`, "not_found");
}

function policyRoute({ method, parts, url, body, state, reply, fail, request }) {
  const [, name, verb] = parts;
  if (!name) return reply(200, { data: [...state.policies.values()], next: null });
  const found = state.policies.get(name);
  const full = (version, findings = []) => [200, { name, version, document: state.policies.get(name).document, findings }, { etag: `"${version}"` }];
  if (verb === "versions") return reply(200, { data: (state.versions.get(name) ?? []).map((entry) => ({ ...entry, current: entry.version === found?.version })) });
  if (verb === "simulate") return reply(200, simulate(body.policy ?? found.document, body.script ?? body, state.policies));
  if (verb === "explain") return reply(200, { policy: `${name}@${found.version}`, rule: null, hops: targets.slice(0, 4).map((target) => ({ model: target.model, call: target.configured, reason: target.configured ? null : `no_key:${target.missing}`, dropped: target.provider === "anthropic" || target.provider === "bedrock" ? ["logit_bias"] : [], request: { method: "POST", url: `https://api.${target.provider}.com/v1/messages`, headers: { authorization: "Bearer [redacted]", "content-type": "application/json" }, body: { ...body.body, model: target.model.split("/")[1] } } })) });
  if (verb === "compare") return reply(200, { data: targets.slice(0, 4).map((target, n) => ({ model: target.model, call: target.configured, outcome: target.configured ? "ok" : "no_key", status: target.configured ? 200 : null, text: target.configured ? ["An understudy learns the part and steps in when the lead cannot go on.", "Someone who learns another actor's role so that they can replace them at short notice.", "A stand-in: ready in the wings, knows every line."][n] : null, tokens: { input: 21, output: 17 + n * 4, cached: 0 }, ms: 900 + n * 430, ttft_ms: 320 + n * 90, cost_usd: 0.00031 / (n + 1), reason: target.configured ? null : `no_key:${target.missing}` })) });
  if (verb === "rollback") {
    const wanted = (state.versions.get(name) ?? []).find((entry) => entry.version === body?.version);
    if (!wanted) return fail(404, `policy "${name}" has no version ${body?.version}`, "version_not_found");
    return reply(...full(store(state, name, wanted.document, "admin")));
  }
  if (method === "GET") return found ? reply(200, found, { etag: `"${found.version}"` }) : fail(404, `no policy is named "${name}"`, "policy_not_found");
  if (method === "DELETE") return state.policies.delete(name) ? reply(204) : fail(404, `no policy is named "${name}"`, "policy_not_found");
  if (request.headers["if-match"] && request.headers["if-match"] !== `"${found?.version}"`) return fail(412, `policy "${name}" was changed meanwhile: it is at ${found?.version ?? "no version"}`, "precondition_failed");
  const { findings } = lint(body, state.policies);
  if (findings.some((finding) => finding.severity === "error")) return fail(422, `policy "${name}": ${findings[0].path}: ${findings[0].message}`, "policy_invalid", { findings });
  if (url.searchParams.get("dry_run")) return reply(200, { name, findings });
  return reply(...full(store(state, name, body, "admin"), findings));
}

function keyRoute({ method, parts, body, state, reply, fail }) {
  const [, id, verb, provider] = parts;
  if (method === "POST") {
    const key = { id: versionOf({ body, at: Date.now() }).repeat(4), allow: [], deny: [], own: [], disabled: false, created_at: new Date().toISOString(), ...body };
    state.keys.unshift(key);
    return reply(201, { ...key, key: "us-7Qm2ZrVfK0b8nTtXwYp4LdJcHs1AeGu9RoNi3bW5x6" });
  }
  if (!id) return reply(200, { data: state.keys, next: null });
  const key = state.keys.find((entry) => entry.id === id);
  if (!key) return fail(404, "no such key", "key_not_found");
  if (verb === "usage") return reply(200, { day: { requests: 1204, cost_usd: 7.41, budget_usd: key.budget_usd_per_day }, month: { requests: 30211, cost_usd: 182.9, budget_usd: key.budget_usd_per_month } });
  if (verb === "own") {
    key.own = method === "PUT" ? [...new Set([...key.own, provider])] : key.own.filter((entry) => entry !== provider);
    return reply(method === "PUT" ? 200 : 204, method === "PUT" ? key : undefined);
  }
  if (method === "PATCH") Object.assign(key, body);
  if (method === "DELETE") state.keys = state.keys.filter((entry) => entry.id !== id);
  return method === "DELETE" ? reply(204) : reply(200, key);
}

async function readBody(request) {
  let text = "";
  try {
    for await (const chunk of request) text += chunk;
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function asset(path, response, dist, state, emit, request) {
  if (path.startsWith("/v1/")) {
    const body = await readBody(request);
    const policy = String(body?.model ?? "").replace("policy/", "");
    const entry = emit({ policy, fail: request.headers["x-understudy-drill"] ? 1 : 0, failure: 0, fields: { version: state.policies.get(policy)?.version, mark: request.headers["x-understudy-drill"] ? "drill" : "" } });
    response.writeHead(200, { "content-type": "application/json", "x-understudy-request-id": entry.id, "x-understudy-policy": `${policy}@${entry.version}`, "x-understudy-trail": entry.attempts.map((attempt) => `${attempt.model}=${attempt.outcome};${attempt.status ?? "-"};${attempt.ms}ms`).join(", ") });
    return response.end(JSON.stringify({ choices: [{ message: { role: "assistant", content: "Still here." } }] }));
  }
  const file = join(dist, normalize(path === "/" ? "/index.html" : path));
  try {
    const rules = await readFile(join(dist, "_headers"), "utf8");
    const headers = { "content-type": TYPES[extname(file)] ?? "application/octet-stream" };
    for (const line of rules.split("\n\n")[0].split("\n").slice(1)) headers[line.slice(0, line.indexOf(":")).trim().toLowerCase()] = line.slice(line.indexOf(":") + 1).trim();
    if (!file.startsWith(dist)) throw new Error("outside");
    const bytes = await readFile(file);
    response.writeHead(200, headers);
    response.end(bytes);
  } catch {
    response.writeHead(404).end("not found");
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const mock = await startMock({ port: Number(process.argv[2] ?? 8799), mode: process.env.MODE ?? "full", delay: Number(process.env.DELAY ?? 0), traffic: 2500 });
  console.log(`${mock.url}  token: ${mock.token}`);
}
