import * as api from "./api";
import { ApiError, errorOf, wishId } from "./http";
import { currentKey } from "./key";
import { createStore } from "./store";
import type { Id } from "./types";

export type UploadState = "waiting" | "sending" | "retrying" | "paused" | "done" | "failed";

export interface Upload {
  key: string;
  file: File;
  state: UploadState;
  /** Bytes the gateway has, and those under way. */
  sent: number;
  error: unknown;
  /** The session made from it, once it is whole. */
  sessionId: Id | null;
}

/** Bytes in one request: a cut line costs at most these. */
const CHUNK = 8 * 1024 * 1024;

/** After so many failures in a row, none of which brought a byte further, the user is asked. */
const MOST_FAILURES = 6;

/** Uploads go on while other pages are looked at. */
export const uploads = createStore<Upload[]>([]);

const stops = new Map<string, AbortController>();

const change = (key: string, values: Partial<Upload>) =>
  uploads.set((all) => all.map((upload) => (upload.key === key ? { ...upload, ...values } : upload)));

/** The name under which an unfinished upload of this file is remembered, so that it goes on after the page was closed. */
const memory = (file: File) => `facerec.upload ${file.name} ${file.size} ${file.lastModified}`;

function remembered(file: File): string | null {
  try {
    return localStorage.getItem(memory(file));
  } catch {
    return null;
  }
}

function remember(file: File, id: Id | null) {
  try {
    if (id === null) localStorage.removeItem(memory(file));
    else localStorage.setItem(memory(file), String(id));
  } catch {
    // Without storage an upload still goes on after a cut line, only not after the page was closed.
  }
}

export function addUploads(files: readonly File[]) {
  const added = files.map((file): Upload => {
    return { key: wishId(), file, state: "waiting", sent: 0, error: null, sessionId: null };
  });
  uploads.set((all) => [...all, ...added]);
  next();
}

export function pauseUpload(key: string) {
  stops.get(key)?.abort();
  change(key, { state: "paused" });
  next();
}

export function resumeUpload(key: string) {
  change(key, { state: "waiting", error: null });
  next();
}

/** Takes it off the list; what the gateway has of it expires there. */
export function dropUpload(key: string) {
  stops.get(key)?.abort();
  const upload = uploads.get().find((each) => each.key === key);
  if (upload && upload.state !== "done") remember(upload.file, null);
  uploads.set((all) => all.filter((each) => each.key !== key));
  next();
}

/** One file at a time gets the whole line. */
function next() {
  const all = uploads.get();
  if (all.some((upload) => upload.state === "sending" || upload.state === "retrying")) return;
  const upload = all.find((each) => each.state === "waiting");
  if (upload) void run(upload);
}

async function run({ key, file }: Upload) {
  const stop = new AbortController();
  stops.set(key, stop);
  change(key, { state: "sending" });
  try {
    const id = await transfer(key, file, stop.signal);
    const session = await api.createSession(id, `session ${id}`, stop.signal);
    remember(file, null);
    change(key, { state: "done", sent: file.size, sessionId: session.id });
  } catch (error) {
    if (!stop.signal.aborted) change(key, { state: "failed", error });
  } finally {
    stops.delete(key);
    next();
  }
}

/** Where to go on: an upload begun before, if the gateway still has it, or a new one. */
async function begin(file: File, signal: AbortSignal): Promise<{ id: Id; offset: number }> {
  const id = remembered(file);
  if (id !== null) {
    try {
      const { offset, bytes } = await api.uploadState(id, signal);
      if (bytes === file.size) return { id, offset };
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
    }
  }
  const begun = await api.createUpload(file.name, file.size, signal);
  remember(file, begun.id);
  return begun;
}

async function transfer(key: string, file: File, signal: AbortSignal): Promise<Id> {
  let failures = 0;
  let place: { id: Id; offset: number } | null = null;
  for (;;) {
    try {
      if (place === null) place = await begin(file, signal);
      else if (failures > 0) place.offset = (await api.uploadState(place.id, signal)).offset;
      change(key, { sent: place.offset, state: "sending" });
      while (place.offset < file.size) {
        const from = place.offset;
        place.offset = await patch(place.id, from, file.slice(from, from + CHUNK), signal, (sent) =>
          change(key, { sent: from + sent }),
        );
        failures = 0;
      }
      return place.id;
    } catch (error) {
      if (signal.aborted || !worthAnotherTry(error)) throw error;
      failures += 1;
      if (failures >= MOST_FAILURES) throw error;
      change(key, { state: "retrying" });
      await new Promise((resolve) => setTimeout(resolve, Math.min(500 * 2 ** failures, 15_000)));
    }
  }
}

/** A cut line, a busy or broken server, or an offset that is not the server's (409): the next try asks for it. */
function worthAnotherTry(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 0 || error.status >= 500 || [409, 429].includes(error.status));
}

/** Sends bytes with `XMLHttpRequest`, which tells how far it is. Gives the new offset. */
function patch(id: Id, offset: number, bytes: Blob, signal: AbortSignal, onProgress: (sent: number) => void) {
  return new Promise<number>((resolve, reject) => {
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    const fail = (error: unknown) => {
      signal.removeEventListener("abort", stop);
      reject(error);
    };
    request.open("PATCH", api.uploadPath(id));
    request.setRequestHeader("Authorization", `Bearer ${currentKey() ?? ""}`);
    request.setRequestHeader("Upload-Offset", String(offset));
    request.setRequestHeader("Content-Type", "application/offset+octet-stream");
    request.upload.onprogress = (event) => onProgress(event.loaded);
    request.onload = () => {
      if (request.status < 200 || request.status >= 300) return fail(errorOf(request.status, request.responseText));
      signal.removeEventListener("abort", stop);
      let told: unknown;
      try {
        told = (JSON.parse(request.responseText) as { offset?: unknown }).offset;
      } catch {
        // An answer without a body: everything sent has arrived.
      }
      resolve(typeof told === "number" ? told : offset + bytes.size);
    };
    request.onerror = () => fail(new ApiError("network", "The connection was lost."));
    request.onabort = () => fail(new DOMException("stopped", "AbortError"));
    signal.addEventListener("abort", stop, { once: true });
    request.send(bytes);
  });
}
