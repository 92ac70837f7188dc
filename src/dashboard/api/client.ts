// One way to the admin API: adds the token, reads JSON, turns every failure into an ApiError with a sentence for people.
import { signOut, token } from "../lib/session";
import type { Finding } from "./types";

export class ApiError extends Error {
  constructor(
    /** HTTP status; 0 when the Worker could not be reached. */
    readonly status: number,
    message: string,
    readonly code: string = "",
    readonly findings: Finding[] = [],
  ) {
    super(message);
  }
}

export interface Reply<T> {
  data: T;
  /** Version from the etag, without its quotes. */
  version: string;
}

interface Options {
  body?: unknown;
  query?: Record<string, string | number | boolean | undefined | null>;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  token?: string;
}

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** A path of names, each escaped: `path("policies", name)` is `/admin/policies/<name>`. */
export function path(...parts: string[]): string {
  return "/admin/" + parts.map(encodeURIComponent).join("/");
}

export async function call<T>(method: Method, url: string, options: Options = {}): Promise<Reply<T>> {
  const response = await send(method, url, options);
  const text = await response.text();
  const data = (text ? parse(text) : null) as T;
  if (!response.ok) throw failure(response.status, data, text);
  const etag = response.headers.get("etag") ?? "";
  return { data, version: etag.replace(/^W\//, "").replaceAll('"', "") };
}

export async function get<T>(url: string, options: Options = {}): Promise<T> {
  return (await call<T>("GET", url, options)).data;
}

/** The raw response, for streams. Failures are thrown as from `call`. */
export async function open(url: string, options: Options = {}): Promise<Response> {
  const response = await send("GET", url, { ...options, headers: { accept: "text/event-stream", ...options.headers } });
  if (response.ok) return response;
  const text = await response.text();
  throw failure(response.status, parse(text), text);
}

async function send(method: Method, url: string, options: Options): Promise<Response> {
  const query = Object.entries(options.query ?? {}).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const search = query.length ? "?" + new URLSearchParams(query.map(([name, value]) => [name, String(value)])) : "";
  const headers: Record<string, string> = {
    accept: "application/json",
    authorization: `Bearer ${options.token ?? token.value}`,
    ...options.headers,
  };
  if (options.body !== undefined) headers["content-type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(url + search, {
      method,
      headers,
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
      signal: options.signal,
      cache: "no-store",
      credentials: "omit",
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError(0, "The Worker did not answer. Check that it is running and that you are online.");
  }
  if (response.status === 401 && options.token === undefined) signOut("The Worker no longer accepts this token. Please sign in again.");
  return response;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function failure(status: number, data: unknown, text: string): ApiError {
  const error = (data as { error?: { message?: string; code?: string; type?: string; findings?: Finding[] } } | null)?.error;
  if (error && typeof error === "object") {
    return new ApiError(status, error.message || `The Worker answered ${status}.`, error.code ?? error.type ?? "", error.findings ?? []);
  }
  const plain = text && text.length < 200 && !text.startsWith("<") ? ` ${text}` : "";
  return new ApiError(status, `The Worker answered ${status}.${plain}`);
}
