import * as api from "./api";
import { ApiError, wishId } from "./http";
import { createStore } from "./store";
import type { Enrolment, EnrolmentState } from "./types";

/** A photo on its way into the gallery. `waiting` and `sending` are ours, the rest the gateway's. */
export interface PhotoJob {
  key: string;
  name: string;
  file: File;
  state: "waiting" | "sending" | EnrolmentState;
  reason: string | null;
  /** The gateway's own words, where the reason is not enough. */
  message: string | null;
  error: unknown;
}

/** Photos sent at the same time. */
const AT_ONCE = 3;

/** How often in a row it may fail to ask how a photo fares. */
const MOST_FAILURES = 20;

/** Jobs go on while other pages are looked at. */
export const photoJobs = createStore<PhotoJob[]>([]);

/** Enrolments that are over, counted: lists of people load again when it changes. */
export const enrolled = createStore(0);

let busy = 0;

const change = (key: string, values: Partial<PhotoJob>) =>
  photoJobs.set((all) => all.map((job) => (job.key === key ? { ...job, ...values } : job)));

export function addPhotos(name: string, files: readonly File[]) {
  const added = files.map((file): PhotoJob => {
    return { key: wishId(), name, file, state: "waiting", reason: null, message: null, error: null };
  });
  photoJobs.set((all) => [...added, ...all]);
  next();
}

export function retryPhoto(key: string) {
  change(key, { state: "waiting", error: null, reason: null, message: null });
  next();
}

const OVER: ReadonlySet<string> = new Set(["accepted", "rejected", "failed"]);

export const isOver = (job: PhotoJob) => OVER.has(job.state);

/** Takes everything that is over off the list. */
export function clearPhotos() {
  photoJobs.set((all) => all.filter((job) => !isOver(job)));
}

function next() {
  while (busy < AT_ONCE) {
    const job = photoJobs.get().find((each) => each.state === "waiting");
    if (!job) return;
    busy += 1;
    change(job.key, { state: "sending" });
    void run(job).finally(() => {
      busy -= 1;
      enrolled.set((now) => now + 1);
      next();
    });
  }
}

async function run({ key, name, file }: PhotoJob) {
  try {
    let answer: Enrolment = await api.enrol(name, file, wishId());
    let failures = 0;
    for (let pause = 150; !OVER.has(answer.state); pause = Math.min(pause * 1.5, 3000)) {
      change(key, { state: answer.state });
      await new Promise((resolve) => setTimeout(resolve, pause));
      try {
        answer = await api.enrolment(answer.id);
        failures = 0;
      } catch (error) {
        // The photo is with the gateway: a line that is cut while we ask how it fares is no failure of the photo.
        failures += 1;
        if (failures > MOST_FAILURES || !(error instanceof ApiError) || (error.status > 0 && error.status < 429))
          throw error;
      }
    }
    change(key, { state: answer.state, reason: answer.reason ?? null, message: answer.message ?? null });
  } catch (error) {
    change(key, { state: "failed", error });
  }
}
