import { ask, send } from "./http";
import type {
  AuditEvent,
  BoxRow,
  Delivery,
  Enrolment,
  Id,
  Key,
  Me,
  NewKey,
  Page,
  Person,
  Photo,
  Scope,
  SearchAnswer,
  Session,
  Track,
  UnknownGroup,
  Webhook,
} from "./types";

type Signal = AbortSignal | undefined;

const part = (id: Id) => encodeURIComponent(String(id));

function query(values: Record<string, string | number | null | undefined>): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(values))
    if (value != null && value !== "") params.set(name, String(value));
  const text = params.toString();
  return text && `?${text}`;
}

export const me = (key?: string, signal?: Signal) =>
  ask<Me>("/v1/me", key === undefined ? { signal } : { key, signal });

export const persons = (q: string, cursor: string | null, signal?: Signal, limit = 48) =>
  ask<Page<Person>>(`/v1/persons${query({ q, cursor, limit })}`, { signal });
export const person = (id: Id, signal?: Signal) => ask<Person>(`/v1/persons/${part(id)}`, { signal });
export const renamePerson = (id: Id, name: string) =>
  ask<Person>(`/v1/persons/${part(id)}`, { method: "PATCH", json: { name } });
/** The photo, and the face that it became. */
export const removePhoto = (id: Id) => ask<unknown>(`/v1/enrolments/${part(id)}`, { method: "DELETE" });
export const forgetPerson = (id: Id) => ask<{ removed_faces: number }>(`/v1/persons/${part(id)}`, { method: "DELETE" });
export const mergePersons = (into: Id, from: Id) =>
  ask<unknown>(`/v1/persons/${part(into)}/merge`, { method: "POST", json: { from } });
export const photos = (id: Id, cursor: string | null, signal?: Signal) =>
  ask<Page<Photo>>(`/v1/persons/${part(id)}/photos${query({ cursor, limit: 48 })}`, { signal });
export const exportPerson = async (id: Id) => (await send(`/v1/persons/${part(id)}/export`)).blob();

/** Browsers do not know every kind of picture by its name; the gateway looks at the bytes. */
const photoType = (file: File) => (file.type.startsWith("image/") ? file.type : "image/unknown");

export const enrol = (name: string, file: File, wish: string, signal?: Signal) =>
  ask<Enrolment>(`/v1/enrolments${query({ person: name, file: file.name })}`, {
    method: "POST",
    body: file,
    headers: { "Content-Type": photoType(file), "Idempotency-Key": wish },
    signal,
  });
export const enrolment = (id: Id, signal?: Signal) => ask<Enrolment>(`/v1/enrolments/${part(id)}`, { signal });

export const searchByPhoto = (file: File, signal?: Signal) =>
  ask<SearchAnswer>("/v1/search", {
    method: "POST",
    body: file,
    headers: { "Content-Type": photoType(file) },
    signal,
  });

export const createUpload = (file_name: string, bytes: number, signal?: Signal) =>
  ask<{ id: Id; offset: number }>("/v1/uploads", { json: { file_name, bytes }, signal });
export const uploadState = (id: Id, signal?: Signal) =>
  ask<{ offset: number; bytes: number }>(`/v1/uploads/${part(id)}`, { signal });
export const uploadPath = (id: Id) => `/v1/uploads/${part(id)}`;

export const createSession = (upload_id: Id, wish: string, signal?: Signal) =>
  ask<{ id: Id }>("/v1/sessions", { json: { upload_id }, headers: { "Idempotency-Key": wish }, signal });
export const sessions = (cursor: string | null, signal?: Signal) =>
  ask<Page<Session>>(`/v1/sessions${query({ cursor, limit: 30 })}`, { signal });
export const session = (id: Id, signal?: Signal) => ask<Session>(`/v1/sessions/${part(id)}`, { signal });
export const cancelSession = (id: Id) => ask<unknown>(`/v1/sessions/${part(id)}/cancel`, { method: "POST" });
export const deleteSession = (id: Id) => ask<unknown>(`/v1/sessions/${part(id)}`, { method: "DELETE" });
export const eventsPath = (id: Id) => `/v1/sessions/${part(id)}/events`;
export const videoPath = (id: Id) => `/v1/sessions/${part(id)}/video`;
export const boxes = (id: Id, track: number, signal?: Signal) =>
  ask<{ boxes: BoxRow[] }>(`/v1/sessions/${part(id)}/tracks/${track}/boxes`, { signal });
export const unknown = (id: Id, signal?: Signal) =>
  ask<{ groups: UnknownGroup[] }>(`/v1/sessions/${part(id)}/unknown`, { signal });
export const enrolTracks = (id: Id, tracks: number[], name: string) =>
  ask<{ person_id: Id | null; faces: number }>(`/v1/sessions/${part(id)}/enrol`, { json: { tracks, person: name } });

/** Every track of a session, page after page. */
export async function tracks(id: Id, signal?: Signal): Promise<Track[]> {
  const all: Track[] = [];
  let cursor: string | null = null;
  do {
    const page: Page<Track> = await ask(`/v1/sessions/${part(id)}/tracks${query({ cursor, limit: 200 })}`, { signal });
    all.push(...page.items);
    cursor = page.next;
  } while (cursor !== null);
  return all;
}

/** A short-lived address of `path` for an element that cannot send the key. */
export async function ticketed(path: string, signal?: Signal): Promise<string> {
  const { ticket } = await ask<{ ticket: string }>("/v1/tickets", { json: { path }, signal });
  return `${path}?ticket=${encodeURIComponent(ticket)}`;
}

export const keys = (cursor: string | null, signal?: Signal) =>
  ask<Page<Key>>(`/v1/keys${query({ cursor, limit: 50 })}`, { signal });
export const createKey = (name: string, scopes: Scope[]) => ask<NewKey>("/v1/keys", { json: { name, scopes } });
export const revokeKey = (id: Id) => ask<unknown>(`/v1/keys/${part(id)}`, { method: "DELETE" });

export const webhooks = (cursor: string | null, signal?: Signal) =>
  ask<Page<Webhook>>(`/v1/webhooks${query({ cursor, limit: 50 })}`, { signal });
export const createWebhook = (url: string, secret: string, events: string[]) =>
  ask<Webhook>("/v1/webhooks", { json: { url, secret, events } });
export const deleteWebhook = (id: Id) => ask<unknown>(`/v1/webhooks/${part(id)}`, { method: "DELETE" });
export const deliveries = (id: Id, cursor: string | null, signal?: Signal) =>
  ask<Page<Delivery>>(`/v1/webhooks/${part(id)}/deliveries${query({ cursor, limit: 20 })}`, { signal });
export const retryDelivery = (hook: Id, id: Id) =>
  ask<Delivery>(`/v1/webhooks/${part(hook)}/deliveries/${part(id)}/retry`, { method: "POST" });

export const auditEvents = (cursor: string | null, signal?: Signal) =>
  ask<Page<AuditEvent>>(`/v1/events${query({ cursor, limit: 30 })}`, { signal });
