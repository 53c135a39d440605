/** What the gateway answers. Times are milliseconds since 1970 (`*_ms`) or of the video (`start_ms`, `ms`, spans); boxes are
 * `[x1, y1, x2, y2]` in pixels. Ids are opaque. */

export type Id = string | number;

export type Scope = "admin" | "enrol" | "query" | "read";

export interface Page<T> {
  items: T[];
  next: string | null;
}

export interface Me {
  name: string;
  scopes: Scope[];
}

export interface Person {
  id: Id;
  name: string;
  faces: number;
  created_ms: number;
  thumbnail: string | null;
}

export type EnrolmentState = "queued" | "running" | "accepted" | "rejected" | "failed";

export interface Photo {
  id: Id;
  file_name: string;
  state: EnrolmentState;
  reason: string | null;
  face_id: Id | null;
  created_ms: number;
  url: string | null;
}

export interface Enrolment {
  id: Id;
  state: EnrolmentState;
  reason?: string | null;
  message?: string | null;
  person_id?: Id | null;
  person?: string;
  file_name?: string;
}

export type Box = [number, number, number, number];

export interface Candidate {
  person_id: Id;
  person: string;
  similarity: number;
}

/** Who a face or a track was taken for, with the evidence. */
export interface Decision {
  person_id: Id | null;
  person: string | null;
  similarity: number | null;
  threshold: number;
  margin: number | null;
  reason: string;
  candidates: Candidate[];
}

export interface FoundFace extends Decision {
  box: Box;
  score: number;
}

export interface SearchAnswer {
  width: number;
  height: number;
  faces: FoundFace[];
}

export type SessionState = "queued" | "running" | "done" | "failed" | "cancelled";

export interface Session {
  id: Id;
  file_name: string;
  state: SessionState;
  progress: number;
  created_ms: number;
  duration_ms: number | null;
  persons: { person_id: Id; person: string }[];
  tracks: number;
  unknown_tracks: number;
  error: string | { code: string; message: string } | null;
}

export interface BestShot {
  ms: number;
  frame: number;
  box: Box;
  url: string;
}

export interface Track extends Decision {
  track: number;
  start_ms: number;
  end_ms: number;
  frames: number;
  spans_ms: [number, number][];
  best_shots: BestShot[];
}

/** Frame, its time and the box in it. */
export type BoxRow = [number, number, number, number, number, number];

export interface UnknownGroup {
  id: Id;
  tracks: number[];
  size: number;
  url: string | null;
}

export interface Key {
  id: Id;
  name: string;
  scopes: Scope[];
  created_ms: number;
}

export interface NewKey {
  id: Id;
  name: string;
  scopes: Scope[];
  key: string;
}

export interface Webhook {
  id: Id;
  url: string;
  events: string[];
  created_ms: number;
}

export interface Delivery {
  id: Id;
  event: string;
  state: "pending" | "delivered" | "dead";
  attempts: number;
  /** What the other server answered last. */
  answer: string | null;
  created_ms: number;
}

export interface AuditEvent {
  seq: number;
  at_ms: number;
  actor: string;
  kind: string;
  subject: string | null;
}
