import { currentKey, signOut } from "./key";

/** An error the gateway told, or `network` when it could not be reached. */
export class ApiError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly status = 0,
    readonly requestId: string | null = null,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

export interface Ask {
  method?: string;
  body?: BodyInit;
  json?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
  /** The key to use instead of the one signed in with. */
  key?: string;
}

/** A name for one wish, so that asking twice does it once. Works without a secure context, unlike `crypto.randomUUID`. */
export function wishId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Puts an error body into an `ApiError`, whatever the body is. */
export function errorOf(status: number, text: string): ApiError {
  try {
    const { error } = JSON.parse(text) as { error?: { code?: unknown; message?: unknown; request_id?: unknown } };
    if (error && typeof error.code === "string") {
      const id = typeof error.request_id === "string" ? error.request_id : null;
      return new ApiError(error.code, String(error.message ?? error.code), status, id);
    }
  } catch {
    // Not our gateway's JSON: a proxy, say.
  }
  return new ApiError(`http_${status}`, `The server answered with status ${status}.`, status);
}

/** One request to the gateway, with the key. Throws `ApiError`, or `AbortError` when `signal` fired. */
export async function send(path: string, ask: Ask = {}, tries = 3): Promise<Response> {
  const headers = new Headers(ask.headers);
  const key = ask.key ?? currentKey();
  if (key) headers.set("Authorization", `Bearer ${key}`);
  let body = ask.body ?? null;
  if (ask.json !== undefined) {
    headers.set("Content-Type", "application/json");
    body = JSON.stringify(ask.json);
  }
  const method = ask.method ?? (body === null ? "GET" : "POST");
  if (method === "POST" && !headers.has("Idempotency-Key")) headers.set("Idempotency-Key", wishId());
  let response: Response;
  try {
    response = await fetch(path, { method, headers, body, signal: ask.signal ?? null, cache: "no-store" });
  } catch (error) {
    if (ask.signal?.aborted) throw error;
    throw new ApiError("network", "The server cannot be reached. Check the connection and try again.");
  }
  if (response.ok) return response;
  // A page full of pictures may ask faster than the key may: they come a little later.
  if (response.status === 429 && method === "GET" && tries > 0) {
    const seconds = Number(response.headers.get("Retry-After")) || 1;
    await new Promise((resolve) => setTimeout(resolve, Math.min(seconds, 10) * 1000));
    return send(path, ask, tries - 1);
  }
  const error = errorOf(response.status, await response.text());
  if (response.status === 401 && ask.key === undefined) signOut("This key is no longer accepted. Sign in again.");
  throw error;
}

export async function ask<T>(path: string, options: Ask = {}): Promise<T> {
  const response = await send(path, options);
  const text = await response.text();
  return (text === "" ? undefined : JSON.parse(text)) as T;
}
