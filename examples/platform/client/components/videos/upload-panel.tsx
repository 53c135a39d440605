"use client";

import Link from "next/link";
import { DropZone } from "@/components/ui/drop-zone";
import { Badge, Progress, type Tone } from "@/components/ui/states";
import { useStore } from "@/lib/store";
import {
  addUploads,
  dropUpload,
  pauseUpload,
  resumeUpload,
  type Upload,
  type UploadState,
  uploads,
} from "@/lib/uploads";
import { errorWords, size } from "@/lib/words";
import { sessionHref } from "./session-card";

const none: Upload[] = [];

export function UploadPanel() {
  const all = useStore(uploads, none);
  return (
    <section className="panel" aria-label="Upload">
      <DropZone accept="video/*,.mkv,.ts" multiple label="Drop videos here, or choose them" onFiles={addUploads}>
        An upload that was cut off goes on where it was, even after this page was closed: choose the same file again
      </DropZone>
      {all.length > 0 && (
        <ul className="uploads" aria-label="Uploads">
          {all.map((upload) => (
            <Item key={upload.key} upload={upload} />
          ))}
        </ul>
      )}
    </section>
  );
}

const states: Record<UploadState, { label: string; tone: Tone }> = {
  waiting: { label: "Waiting", tone: "quiet" },
  sending: { label: "Uploading", tone: "busy" },
  retrying: { label: "Connection lost, trying again", tone: "bad" },
  paused: { label: "Paused", tone: "quiet" },
  done: { label: "Uploaded", tone: "good" },
  failed: { label: "Failed", tone: "bad" },
};

function Item({ upload }: { upload: Upload }) {
  const { key, file, state, sent, sessionId } = upload;
  const { label, tone } = states[state];
  const under = state === "sending" || state === "retrying" || state === "waiting";
  return (
    <li className="upload" data-state={state}>
      <div className="upload-line">
        <div className="row-main">
          <span className="row-name">{file.name}</span>
          <span className="note">{state === "done" ? size(file.size) : `${size(sent)} of ${size(file.size)}`}</span>
        </div>
        <Badge tone={tone}>{label}</Badge>
        <div className="actions">
          {sessionId !== null && (
            <Link className="button small main" href={sessionHref(sessionId)}>
              Open
            </Link>
          )}
          {under && (
            <button
              type="button"
              className="button small"
              onClick={() => pauseUpload(key)}
              aria-label={`Pause ${file.name}`}
            >
              Pause
            </button>
          )}
          {(state === "paused" || state === "failed") && (
            <button
              type="button"
              className="button small"
              onClick={() => resumeUpload(key)}
              aria-label={`Go on with ${file.name}`}
            >
              Go on
            </button>
          )}
          <button
            type="button"
            className="button small"
            onClick={() => dropUpload(key)}
            aria-label={`Take ${file.name} off the list`}
          >
            {state === "done" ? "Clear" : "Cancel"}
          </button>
        </div>
      </div>
      {state !== "done" && <Progress value={sent / (file.size || 1)} label={`Upload of ${file.name}`} />}
      {state === "failed" && <p className="problem">{errorWords(upload.error)}</p>}
    </li>
  );
}
