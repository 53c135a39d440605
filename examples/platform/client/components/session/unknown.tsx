"use client";

import { type FormEvent, useState } from "react";
import { PersonInput } from "@/components/ui/person-input";
import { Photo } from "@/components/ui/photo";
import { Problem } from "@/components/ui/states";
import { tell } from "@/components/ui/toasts";
import { useAct } from "@/lib/act";
import * as api from "@/lib/api";
import type { Row } from "@/lib/timeline";
import type { Id } from "@/lib/types";
import { clock, count, errorWords } from "@/lib/words";

interface Props {
  id: Id;
  rows: Row[];
  mayEnrol: boolean;
  onEnrolled: () => void;
}

/** The people nobody knows, grouped by the gateway, each to be enrolled with a name. */
export function Unknown({ id, rows, mayEnrol, onEnrolled }: Props) {
  return (
    <ul className="unknown" aria-label="Unknown people">
      {rows.map((row) => (
        <Group key={row.key} id={id} row={row} mayEnrol={mayEnrol} onEnrolled={onEnrolled} />
      ))}
    </ul>
  );
}

function Group({ id, row, mayEnrol, onEnrolled }: { id: Id; row: Row; mayEnrol: boolean; onEnrolled: () => void }) {
  const [name, setName] = useState("");
  const { busy, error, run } = useAct();
  const wanted = name.trim();
  const enrol = async () => {
    const tracks = row.tracks.map((track) => track.track);
    const { faces } = await api.enrolTracks(id, tracks, wanted);
    if (faces === 0) throw new Error("No shot of this person is good enough to enrol.");
    tell(`${wanted} is enrolled with ${count(faces, "face")}.`);
    onEnrolled();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void run(enrol);
  };
  const picture = row.group?.url ?? row.tracks[0]?.best_shots[0]?.url ?? null;
  return (
    <li className={`group colour-${row.colour}`}>
      <Photo path={picture} alt={row.label} />
      <div className="group-body">
        <p className="group-name">{row.label}</p>
        <p className="note">
          {count(row.tracks.length, "track")}, from {clock(Math.min(...row.tracks.map((track) => track.start_ms)))}
        </p>
        {mayEnrol && (
          <form onSubmit={submit}>
            <PersonInput
              label={`Name for ${row.label}`}
              hideLabel
              value={name}
              onText={setName}
              placeholder="Who is it?"
            />
            <button
              type="submit"
              className="button small main"
              disabled={busy || wanted === ""}
              aria-label={`Enrol ${row.label}`}
            >
              {busy ? "Enrolling…" : "Enrol"}
            </button>
          </form>
        )}
        <Problem>{error === null ? null : errorWords(error)}</Problem>
      </div>
    </li>
  );
}
