// A gateway for working on the client alone: it keeps everything in memory and recognises nobody. What it says about a video is a
// recording of the engine (mock/record.sh). Never part of a deployment; the browser tests that count run against the real gateway.
//   node mock/server.mjs [PORT]     then sign in with the key it prints
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const client = join(dirname(fileURLToPath(import.meta.url)), "..");
const home = process.env.FACEREC_HOME ?? join(client, "../../../.facerec");
const out = join(client, "out");
const port = Number(process.argv[2] ?? 8091);
const STEP = Number(process.env.MOCK_STEP_MS ?? 150);

const sha = (bytes) => createHash("sha256").update(bytes).digest("hex");
const verdicts = new Map();
for (const folder of ["people", "strangers"]) {
  for (const name of readdirSync(join(home, "photos", folder))) {
    const verdict = folder === "people" ? "accepted" : "several_faces";
    verdicts.set(sha(readFileSync(join(home, "photos", folder, name))), verdict);
  }
}
const recording = readFileSync(join(home, "mock/tracks.jsonl"), "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line));
const summary = recording.pop().summary;
const shotFiles = readdirSync(join(home, "mock/shots"));

const keys = new Map([
  [
    "mock-admin-key",
    { id: "k1", name: "First key", scopes: ["admin"], created_ms: Date.now(), last_used_ms: Date.now() },
  ],
  ["mock-read-key", { id: "k2", name: "Reading room", scopes: ["read"], created_ms: Date.now(), last_used_ms: null }],
]);
const [persons, photos, enrolments, uploads, sessions, hooks, blobs] = Array.from({ length: 7 }, () => new Map());
const tickets = new Map();
const audit = [];
let last = 0;
const id = (kind) => `${kind}_${(++last).toString(36).padStart(6, "0")}`;
const note = (actor, action, subject) =>
  audit.unshift({ seq: ++last, at_ms: Date.now(), actor, kind: action, subject });

class Refusal extends Error {
  constructor(status, code, message) {
    super(message);
    Object.assign(this, { status, code });
  }
}
const missing = (what) =>
  new Refusal(404, what === "person" ? "person_not_found" : "not_found", `There is no such ${what}.`);
const find = (map, key, what) =>
  map.get(key) ??
  (() => {
    throw missing(what);
  })();
const page = (items, url, limit = Number(url.searchParams.get("limit") ?? 50)) => {
  const start = Number(url.searchParams.get("cursor") ?? 0);
  return {
    items: items.slice(start, start + limit),
    next: start + limit < items.length ? String(start + limit) : null,
  };
};
const body = async (request) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts);
};
const json = async (request) => JSON.parse((await body(request)).toString() || "{}");
const shown = ({ face_blobs, ...person }) => ({
  ...person,
  faces: face_blobs.length,
  thumbnail: face_blobs[0] ? `/v1/blobs/${face_blobs[0]}` : null,
});
const byName = (name) => [...persons.values()].find((person) => person.name === name);
const blob = (bytes, type = "image/jpeg") => {
  const key = id("bl");
  blobs.set(key, { bytes, type });
  return key;
};
const personFor = (name) => {
  const known = byName(name);
  if (known) return known;
  const person = { id: id("pe"), name, created_ms: Date.now(), face_blobs: [] };
  persons.set(person.id, person);
  return person;
};

/** Whom the recording means, under a new name too. */
const recognised = (name) => [...persons.values()].find((person) => person.name.includes(name));

function track(session, recorded) {
  const given = session.named.get(recorded.track);
  const person = given ? persons.get(given) : recorded.person ? recognised(recorded.person) : undefined;
  const { boxes, best_shots, person: _, candidates, ...rest } = recorded;
  return {
    ...rest,
    person_id: person?.id ?? null,
    person: person?.name ?? null,
    similarity: person && given ? 0.97 : rest.similarity,
    reason: person ? "match" : persons.size === 0 ? "empty_gallery" : "below_threshold",
    candidates: candidates.flatMap((each) => {
      const known = recognised(each.person);
      return known ? [{ person_id: known.id, person: known.name, similarity: each.similarity }] : [];
    }),
    best_shots: best_shots.map((shot, n) => ({
      ms: shot.ms,
      frame: shot.frame,
      box: shot.box,
      url: `/v1/sessions/${session.id}/tracks/${recorded.track}/shots/${n}`,
    })),
  };
}
const tracks = (session) =>
  recording.slice(0, Math.ceil(recording.length * session.progress)).map((each) => track(session, each));
function view(session) {
  const all = tracks(session);
  const named = new Map(all.filter((each) => each.person_id).map((each) => [each.person_id, each.person]));
  const { id, file_name, state, progress, created_ms, error } = session;
  return {
    id,
    file_name,
    state,
    progress,
    created_ms,
    error,
    duration_ms: state === "done" ? summary.duration_ms : null,
    persons: [...named].map(([person_id, person]) => ({ person_id, person })),
    tracks: all.length,
    unknown_tracks: all.filter((each) => !each.person_id).length,
  };
}
async function play(session) {
  await new Promise((resolve) => setTimeout(resolve, STEP * 2));
  while (session.progress < 1 && session.state !== "cancelled") {
    session.state = "running";
    session.progress = Math.min(1, session.progress + 0.05);
    await new Promise((resolve) => setTimeout(resolve, STEP));
  }
  if (session.state === "running") session.state = "done";
  note("query worker", "session.done", session.id);
}
const shotFile = (number, n) => {
  const recorded = recording.find((each) => each.track === number);
  const ms = String(recorded?.best_shots[n]?.ms).padStart(7, "0");
  return shotFiles.find((name) => name.endsWith(`-${String(number).padStart(3, "0")}-${ms}.jpg`));
};

async function events(session, response) {
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  let [sent, progress, state, number] = [0, -1, "", 0];
  const send = (name, data) => response.write(`id: ${++number}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  for (;;) {
    for (const each of tracks(session).slice(sent)) send("track", each), (sent += 1);
    if (session.progress !== progress)
      send("progress", { progress: (progress = session.progress), frames: Math.round(progress * summary.frames) });
    if (session.state !== state) send("state", { state: (state = session.state) });
    if (state === "done" || state === "cancelled" || response.destroyed) return response.end();
    await new Promise((resolve) => setTimeout(resolve, STEP / 2));
  }
}

const routes = {
  "GET /v1/me": ({ key }) => ({ name: key.name, scopes: key.scopes }),
  "POST /v1/tickets": async ({ request }) => {
    const ticket = id("ti");
    tickets.set(ticket, (await json(request)).path);
    return { ticket };
  },
  "GET /v1/blobs/:id": ({ args, response }) => {
    const { bytes, type } = find(blobs, args[0], "picture");
    response.writeHead(200, { "Content-Type": type }).end(bytes);
  },
  "GET /v1/persons": ({ url }) => {
    const q = (url.searchParams.get("q") ?? "").toLowerCase();
    const all = [...persons.values()].filter((each) => each.name.toLowerCase().includes(q));
    return page(all.sort((a, b) => a.name.localeCompare(b.name)).map(shown), url);
  },
  "GET /v1/persons/:id": ({ args }) => shown(find(persons, args[0], "person")),
  "PATCH /v1/persons/:id": async ({ args, request, key }) => {
    const person = find(persons, args[0], "person");
    const { name } = await json(request);
    if (byName(name) && byName(name) !== person)
      throw new Refusal(409, "conflict", `There is a person named \`${name}\` already.`);
    person.name = name;
    note(key.name, "person.renamed", person.id);
    return shown(person);
  },
  "DELETE /v1/persons/:id": ({ args, key }) => {
    const person = find(persons, args[0], "person");
    persons.delete(person.id);
    for (const [photo, { person_id }] of photos) if (person_id === person.id) photos.delete(photo);
    note(key.name, "person.removed", person.id);
    return { removed_faces: person.face_blobs.length };
  },
  "POST /v1/persons/:id/merge": async ({ args, request, key }) => {
    const into = find(persons, args[0], "person");
    const from = find(persons, (await json(request)).from, "person");
    into.face_blobs.push(...from.face_blobs);
    for (const photo of photos.values()) if (photo.person_id === from.id) photo.person_id = into.id;
    for (const session of sessions.values())
      for (const [n, who] of session.named) if (who === from.id) session.named.set(n, into.id);
    persons.delete(from.id);
    note(key.name, "person.merged", into.id);
    return shown(into);
  },
  "GET /v1/persons/:id/photos": ({ args, url }) =>
    page(
      [...photos.values()].filter((each) => each.person_id === args[0]),
      url,
    ),
  "GET /v1/persons/:id/export": ({ args, response }) => {
    response
      .writeHead(200, { "Content-Type": "application/jsonl" })
      .end(`${JSON.stringify(shown(find(persons, args[0], "person")))}\n`);
  },
  "POST /v1/enrolments": async ({ url, request, key }) => {
    const bytes = await body(request);
    const verdict = verdicts.get(sha(bytes)) ?? "no_face";
    const name = url.searchParams.get("person");
    const enrolment = {
      id: id("en"),
      state: "queued",
      reason: null,
      message: null,
      person_id: null,
      face_id: null,
      person: name,
      file_name: url.searchParams.get("file"),
    };
    enrolments.set(enrolment.id, enrolment);
    setTimeout(() => (enrolment.state = "running"), STEP);
    setTimeout(() => {
      const twice = [...photos.values()].some((photo) => photo.digest === sha(bytes));
      if (verdict !== "accepted" || twice)
        return Object.assign(enrolment, { state: "rejected", reason: twice ? "duplicate" : verdict });
      const person = personFor(name);
      const picture = blob(bytes, request.headers["content-type"]);
      person.face_blobs.push(picture);
      photos.set(enrolment.id, {
        id: enrolment.id,
        file_name: enrolment.file_name,
        state: "accepted",
        reason: null,
        face_id: last,
        created_ms: Date.now(),
        url: `/v1/blobs/${picture}`,
        person_id: person.id,
        digest: sha(bytes),
      });
      Object.assign(enrolment, { state: "accepted", person_id: person.id, face_id: last });
      note(key.name, "face.added", person.id);
    }, STEP * 3);
    return [202, enrolment];
  },
  "GET /v1/enrolments/:id": ({ args }) => find(enrolments, args[0], "enrolment"),
  "POST /v1/search": async ({ request }) => {
    if (!verdicts.has(sha(await body(request)))) return { width: 640, height: 480, faces: [] };
    const candidates = [...persons.values()]
      .slice(0, 3)
      .map((each, n) => ({ person_id: each.id, person: each.name, similarity: [0.86, 0.11, 0.04][n] }));
    const face = { score: 0.98, threshold: 0.57, margin: 0.6 };
    return {
      width: 100,
      height: 100,
      faces: [
        {
          ...face,
          box: [30, 18, 66, 64],
          person_id: candidates[0]?.person_id ?? null,
          person: candidates[0]?.person ?? null,
          similarity: candidates[0]?.similarity ?? null,
          reason: candidates[0] ? "match" : "empty_gallery",
          candidates,
        },
      ],
    };
  },
  "POST /v1/uploads": async ({ request }) => {
    const { file_name, bytes } = await json(request);
    const upload = { id: id("up"), file_name, bytes, parts: [], offset: 0 };
    uploads.set(upload.id, upload);
    return [201, { id: upload.id, offset: 0 }];
  },
  "GET /v1/uploads/:id": ({ args }) => {
    const { offset, bytes } = find(uploads, args[0], "upload");
    return { offset, bytes };
  },
  "PATCH /v1/uploads/:id": async ({ args, request }) => {
    const upload = find(uploads, args[0], "upload");
    if (Number(request.headers["upload-offset"]) !== upload.offset)
      throw new Refusal(409, "conflict", `The offset is ${upload.offset}.`);
    for await (const part of request) {
      upload.parts.push(part);
      upload.offset += part.length;
    }
    return { offset: upload.offset };
  },
  "GET /v1/sessions": ({ url }) => page([...sessions.values()].reverse().map(view), url),
  "POST /v1/sessions": async ({ request }) => {
    const upload = find(uploads, (await json(request)).upload_id, "upload");
    const session = {
      id: id("se"),
      file_name: upload.file_name,
      video: Buffer.concat(upload.parts),
      state: "queued",
      progress: 0,
      created_ms: Date.now(),
      error: null,
      named: new Map(),
    };
    sessions.set(session.id, session);
    void play(session);
    return [202, { id: session.id, state: "queued" }];
  },
  "GET /v1/sessions/:id": ({ args }) => view(find(sessions, args[0], "session")),
  "DELETE /v1/sessions/:id": ({ args }) => void (find(sessions, args[0], "session"), sessions.delete(args[0])),
  "POST /v1/sessions/:id/cancel": ({ args }) => void (find(sessions, args[0], "session").state = "cancelled"),
  "GET /v1/sessions/:id/tracks": ({ args, url }) => page(tracks(find(sessions, args[0], "session")), url),
  "GET /v1/sessions/:id/tracks/:n/boxes": ({ args }) => ({
    boxes: recording.find((each) => each.track === Number(args[1]))?.boxes ?? [],
  }),
  "GET /v1/sessions/:id/tracks/:n/shots/:k": ({ args, response }) => {
    const name = shotFile(Number(args[1]), Number(args[2]));
    if (!name) throw missing("shot");
    response.writeHead(200, { "Content-Type": "image/jpeg" }).end(readFileSync(join(home, "mock/shots", name)));
  },
  "GET /v1/sessions/:id/unknown": ({ args }) => {
    const left = tracks(find(sessions, args[0], "session")).filter((each) => !each.person_id);
    return {
      groups: left.map((each) => ({
        id: `g${each.track}`,
        tracks: [each.track],
        size: 1,
        url: each.best_shots[0]?.url ?? null,
      })),
    };
  },
  "POST /v1/sessions/:id/enrol": async ({ args, request }) => {
    const session = find(sessions, args[0], "session");
    const wish = await json(request);
    const person = personFor(wish.person);
    for (const n of wish.tracks) {
      session.named.set(n, person.id);
      person.face_blobs.push(blob(readFileSync(join(home, "mock/shots", shotFile(n, 0)))));
    }
    note("First key", "person.enrolled_from_video", person.id);
    return { person_id: person.id, faces: wish.tracks.length };
  },
  "GET /v1/sessions/:id/events": ({ args, response }) => events(find(sessions, args[0], "session"), response),
  "GET /v1/sessions/:id/video": ({ args, request, response }) => {
    const { video } = find(sessions, args[0], "session");
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
    const [from, to] = range
      ? [Number(range[1]), range[2] ? Number(range[2]) : video.length - 1]
      : [0, video.length - 1];
    const head = { "Content-Type": "video/mp4", "Accept-Ranges": "bytes", "Content-Length": to - from + 1 };
    if (range) head["Content-Range"] = `bytes ${from}-${to}/${video.length}`;
    response.writeHead(range ? 206 : 200, head).end(video.subarray(from, to + 1));
  },
  "GET /v1/keys": ({ url }) => page([...keys.values()], url),
  "POST /v1/keys": async ({ request }) => {
    const { name, scopes } = await json(request);
    const key = `mock-${id("key")}`;
    const made = { id: id("k"), name, scopes, created_ms: Date.now(), last_used_ms: null };
    keys.set(key, made);
    return [201, { id: made.id, name, scopes, key }];
  },
  "DELETE /v1/keys/:id": ({ args }) => {
    for (const [key, each] of keys) if (each.id === args[0]) keys.delete(key);
  },
  "GET /v1/webhooks": ({ url }) => page([...hooks.values()], url),
  "POST /v1/webhooks": async ({ request }) => {
    const { url, events } = await json(request);
    const hook = { id: id("wh"), url, events, created_ms: Date.now() };
    hooks.set(hook.id, hook);
    return [201, hook];
  },
  "DELETE /v1/webhooks/:id": ({ args }) => void hooks.delete(args[0]),
  "GET /v1/webhooks/:id/deliveries": ({ url }) =>
    page(
      [
        {
          id: "d1",
          event: "session.done",
          state: "dead",
          attempts: 8,
          answer: "status 500",
          created_ms: Date.now(),
        },
      ],
      url,
    ),
  "GET /v1/events": ({ url }) => page(audit, url),
};
const table = Object.entries(routes).map(([route, run]) => {
  const [method, path] = route.split(" ");
  return { method, path: new RegExp(`^${path.replace(/:[a-z]+/g, "([^/]+)")}$`), run };
});

const types = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".txt": "text/plain",
};
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self'; connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
function file(url, response) {
  let path = join(out, normalize(decodeURIComponent(url.pathname)));
  if (existsSync(path) && statSync(path).isDirectory()) path = join(path, "index.html");
  const found = path.startsWith(out) && existsSync(path);
  if (!found) path = join(out, "404.html");
  response.writeHead(found ? 200 : 404, {
    "Content-Type": `${types[extname(path)] ?? "application/octet-stream"}; charset=utf-8`,
    "Content-Security-Policy": CSP,
  });
  createReadStream(path).pipe(response);
}

async function answer(request, response) {
  const url = new URL(request.url, "http://mock");
  if (!url.pathname.startsWith("/v1/")) return file(url, response);
  const key = keys.get((request.headers.authorization ?? "").replace("Bearer ", ""));
  if (!key && tickets.get(url.searchParams.get("ticket")) !== url.pathname)
    throw new Refusal(401, "unauthorized", "A key is needed.");
  if (key && request.method !== "GET" && !key.scopes.includes("admin") && url.pathname !== "/v1/tickets")
    throw new Refusal(403, "forbidden", "This key may only read.");
  for (const { method, path, run } of table) {
    const match = path.exec(url.pathname);
    if (!match || method !== request.method) continue;
    const result = await run({ args: match.slice(1).map(decodeURIComponent), url, request, response, key });
    if (response.headersSent) return;
    const [status, value] = Array.isArray(result) ? result : [result === undefined ? 204 : 200, result];
    response
      .writeHead(status, { "Content-Type": "application/json" })
      .end(value === undefined ? "" : JSON.stringify(value));
    return;
  }
  throw new Refusal(404, "not_found", "There is no such route.");
}

createServer((request, response) => {
  answer(request, response).catch((error) => {
    if (!(error instanceof Refusal)) console.error(error);
    if (response.headersSent) return response.destroy();
    const { status = 500, code = "internal", message } = error;
    response
      .writeHead(status, { "Content-Type": "application/json" })
      .end(JSON.stringify({ error: { code, message, request_id: id("rq") } }));
  });
}).listen(port, "127.0.0.1", () =>
  console.log(`mock gateway: http://127.0.0.1:${port}/ with the key mock-admin-key (or mock-read-key)`),
);
