import { ApiError } from "./http";
import type { Decision, EnrolmentState, Session, SessionState } from "./types";

/** Codes of the engine and the gateway in plain words. Unknown codes are shown as they are, in words. */
const words = (table: Record<string, string>) => (code: string | null | undefined) =>
  code ? (table[code] ?? `${code.replaceAll("_", " ")}.`) : "";

/** Why a photo was not enrolled, and what to do about it. */
export const rejectWords = words({
  no_face: "No face was found. Use a photo that shows the face.",
  several_faces: "Several faces could be meant. Use a photo of this person alone, or crop it.",
  too_small: "The face is too small. Use a photo taken closer, or a larger one.",
  blurred: "The face is blurred. Use a sharper photo.",
  extreme_pose: "The head is turned too far. Use a photo that looks towards the camera.",
  bad_exposure: "The face is too dark, too bright or without contrast. Use a better lit photo.",
  not_this_person: "This face does not fit the name: it is unlike this person's other photos, or fits somebody else.",
  duplicate: "This photo is enrolled already.",
  decode_image: "The file is damaged or is not a photo.",
  unsupported_format: "This kind of picture is not read. Save it as JPEG, PNG or WebP.",
  image_too_large: "The picture has too many pixels. Make it smaller.",
});

const decisions = words({
  match: "Clearly this person.",
  below_threshold: "Nobody enrolled is similar enough.",
  ambiguous: "Two people are almost equally similar, so nobody is named.",
  empty_gallery: "Nobody is enrolled yet.",
  conflict: "The shots show different people, so nobody is named.",
  seen_elsewhere: "The most similar person was in view elsewhere at the same time.",
  no_evidence: "No shot is good enough to look anybody up.",
  enrolled: "Enrolled from this video.",
  forgotten: "This person was forgotten. Only when somebody was there is kept.",
});

export const decisionWords = ({ reason }: Pick<Decision, "reason">): string => decisions(reason);

/** Whether the person was forgotten: nothing is left that tells who it was, and nobody can be enrolled from it. */
export const isForgotten = ({ reason }: Pick<Decision, "reason">): boolean => reason === "forgotten";

/** What happened, in the history and to webhooks. */
export const eventWords = words({
  "person.enrolled": "A person was enrolled from a video",
  "person.renamed": "A person was renamed",
  "person.merged": "Two people were merged",
  "person.forgotten": "A person was forgotten",
  "session.created": "A video was uploaded",
  "session.done": "A video was looked through",
  "session.failed": "A video could not be looked through",
  "session.cancelled": "A video was cancelled",
  "session.removed": "A video was deleted",
  "enrolment.accepted": "A photo was accepted",
  "enrolment.rejected": "A photo was not accepted",
  "enrolment.failed": "A photo could not be looked at",
  "enrolment.removed": "A photo was removed",
  "key.made": "A key was made",
  "key.revoked": "A key was revoked",
  "webhook.made": "A webhook was set up",
  "webhook.removed": "A webhook was removed",
  "delivery.retried": "A delivery was sent again",
});

/** What becomes of a photo. */
export const enrolmentWords: Record<EnrolmentState, string> = {
  queued: "Queued",
  running: "Looking at it",
  accepted: "Accepted",
  rejected: "Not accepted",
  failed: "Failed",
};

export const stateWords: Record<SessionState, string> = {
  queued: "Waiting",
  running: "Running",
  done: "Done",
  failed: "Failed",
  cancelled: "Cancelled",
};

const errors: Record<string, string> = {
  forbidden: "This key does not allow that. Sign in with a key that has the scope for it.",
  too_large: "The file is larger than the server allows.",
  rate_limited: "Too many requests in a short time. Wait a moment and try again.",
};

/** The engine's messages begin small, because something usually stands before them. */
const sentence = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** What went wrong, for people. */
export function errorWords(error: unknown): string {
  if (error instanceof ApiError) return errors[error.code] ?? sentence(error.message);
  return error instanceof Error ? error.message : String(error);
}

/** Why a session failed. */
export function sessionError(session: Pick<Session, "error">): string {
  const { error } = session;
  if (!error) return "";
  return sentence(typeof error === "string" ? error : error.message);
}

/** 0:07.5, 12:03.0, 1:02:03.4: for positions in a video. */
export function clock(ms: number, tenths = true): string {
  const all = tenths ? Math.round(ms / 100) : Math.round(ms / 1000) * 10;
  const seconds = Math.floor(all / 10);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const head = h > 0 ? `${h}:${String(m).padStart(2, "0")}` : `${m}`;
  return `${head}:${String(s).padStart(2, "0")}${tenths ? `.${all % 10}` : ""}`;
}

export function when(ms: number): string {
  return new Date(ms).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

export function size(bytes: number): string {
  const units = ["bytes", "KB", "MB", "GB", "TB"];
  let unit = 0;
  let value = bytes;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export const count = (n: number, one: string, many = `${one}s`) => `${n.toLocaleString()} ${n === 1 ? one : many}`;

/** A cosine similarity as people read it: 0.94. */
export const similarity = (value: number | null) =>
  value === null ? "none" : (Math.round(value * 100) / 100 || 0).toFixed(2);
