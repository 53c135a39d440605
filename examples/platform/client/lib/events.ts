import { eventsPath } from "./api";
import { ApiError, send } from "./http";
import type { Id } from "./types";

export interface ServerEvent {
  id: string | null;
  name: string;
  data: string;
}

/** Reads server-sent events out of text that comes in pieces (WHATWG HTML, section 9.2.6). */
export class EventReader {
  private rest = "";
  private id: string | null = null;
  private name = "";
  private data: string[] = [];

  push(text: string): ServerEvent[] {
    this.rest += text;
    const events: ServerEvent[] = [];
    for (;;) {
      const end = this.rest.search(/\r\n|\n|\r(?!$)/);
      if (end < 0) return events;
      const line = this.rest.slice(0, end);
      this.rest = this.rest.slice(end + (this.rest.startsWith("\r\n", end) ? 2 : 1));
      const event = this.line(line);
      if (event) events.push(event);
    }
  }

  private line(line: string): ServerEvent | null {
    if (line === "") {
      const event = { id: this.id, name: this.name || "message", data: this.data.join("\n") };
      const empty = this.data.length === 0;
      this.name = "";
      this.data = [];
      return empty ? null : event;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return null;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.name = value;
    else if (field === "data") this.data.push(value);
    else if (field === "id") this.id = value;
    return null;
  }
}

const wait = (ms: number, signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    const stop = () => {
      clearTimeout(timer);
      resolve();
    };
    signal.addEventListener("abort", stop, { once: true });
  });

const FINAL = new Set(["done", "failed", "cancelled"]);

/** Follows a session until it is over, connecting again where it was cut off. With `fetch`, because an `EventSource` cannot send
 * the key, and a ticket in its address would be over by the time it connects again. */
export async function followSession(
  id: Id,
  onEvent: (name: string, data: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  let last: string | null = null;
  for (let failures = 0; !signal.aborted; failures += 1) {
    if (failures > 0) await wait(Math.min(500 * 2 ** failures, 15_000), signal);
    if (signal.aborted) return;
    try {
      const headers: Record<string, string> = { Accept: "text/event-stream" };
      if (last !== null) headers["Last-Event-ID"] = last;
      const response = await send(eventsPath(id), { headers, signal });
      if (!response.body) return;
      const reader = new EventReader();
      const text = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await text.read();
        if (done) break;
        for (const event of reader.push(value)) {
          failures = 0;
          last = event.id ?? last;
          const data = JSON.parse(event.data) as { state?: string };
          onEvent(event.name, data);
          if (event.name === "state" && FINAL.has(data.state ?? "")) return;
        }
      }
    } catch (error) {
      // Refused for good; everything else is a cut line.
      if (error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 429) throw error;
    }
  }
}
