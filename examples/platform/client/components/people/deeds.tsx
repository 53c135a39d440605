"use client";

import { useId, useRef, useState } from "react";
import { AskDialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Photo } from "@/components/ui/photo";
import { Shown } from "@/components/ui/states";
import { tell } from "@/components/ui/toasts";
import * as api from "@/lib/api";
import { ApiError } from "@/lib/http";
import { useLoad } from "@/lib/load";
import { forgetPictures } from "@/lib/pictures";
import type { Person } from "@/lib/types";
import { count, errorWords } from "@/lib/words";

/** What can be done to a person, here and on the person's own page. */
export interface Deed {
  kind: "rename" | "merge" | "forget";
  person: Person;
}

const labels = { rename: "Rename…", merge: "Merge…", forget: "Forget…" } as const;

export const deedKinds = Object.keys(labels) as Deed["kind"][];

export const deedLabel = (kind: Deed["kind"]) => labels[kind];

/** The deeds behind one button; a popover closes by itself on Escape and on a click elsewhere. */
export function PersonMenu({ person, onDeed }: { person: Person; onDeed: (deed: Deed) => void }) {
  const id = useId();
  const menu = useRef<HTMLDivElement>(null);
  return (
    <div className="menu">
      <button type="button" className="menu-button" popoverTarget={id} aria-label={`More for ${person.name}`}>
        <span aria-hidden="true">···</span>
      </button>
      <div className="menu-list" id={id} popover="auto" ref={menu}>
        {deedKinds.map((kind) => (
          <button
            type="button"
            key={kind}
            className={kind === "forget" ? "danger" : ""}
            onClick={() => {
              menu.current?.hidePopover();
              onDeed({ kind, person });
            }}
          >
            {deedLabel(kind)}
          </button>
        ))}
      </div>
    </div>
  );
}

interface Props {
  deed: Deed;
  onClose: () => void;
  onDone: (deed: Deed) => void;
}

const dialogs = { rename: Rename, merge: Merge, forget: Forget };

export function PersonDeeds({ deed, onClose, onDone }: Props) {
  const done = (text: string) => {
    tell(text);
    onClose();
    onDone(deed);
  };
  const Asked = dialogs[deed.kind];
  return <Asked person={deed.person} onClose={onClose} done={done} />;
}

interface DeedProps {
  person: Person;
  onClose: () => void;
  done: (text: string) => void;
}

function Rename({ person, onClose, done }: DeedProps) {
  const [name, setName] = useState(person.name);
  const wanted = name.trim();
  const rename = async () => {
    await api.renamePerson(person.id, wanted);
    done(`${person.name} is now called ${wanted}.`);
  };
  const words = (error: unknown) =>
    error instanceof ApiError && error.status === 409
      ? "Somebody has this name already. If it is the same person, merge the two instead."
      : errorWords(error);
  return (
    <AskDialog
      title={`Rename ${person.name}`}
      label="Rename"
      onClose={onClose}
      act={rename}
      ready={wanted !== "" && wanted !== person.name}
      words={words}
    >
      <Field label="New name" value={name} onText={setName} maxLength={200} required />
    </AskDialog>
  );
}

function Merge({ person, onClose, done }: DeedProps) {
  const [q, setQ] = useState("");
  const [from, setFrom] = useState<Person | null>(null);
  const group = useId();
  const others = useLoad(`merge ${q}`, (signal) => api.persons(q.trim(), null, signal, 12));
  const merge = async () => {
    if (!from) return;
    await api.mergePersons(person.id, from.id);
    forgetPictures();
    done(`${from.name} was merged into ${person.name}.`);
  };
  return (
    <AskDialog
      title={`Merge somebody into ${person.name}`}
      label="Merge"
      onClose={onClose}
      act={merge}
      ready={from !== null}
    >
      <p>All faces of the other person go to {person.name}; the other name is gone. This cannot be undone.</p>
      <Field label="Who is the same person?" type="search" value={q} onText={setQ} />
      <Shown of={others}>
        {(page) => {
          const items = page.items.filter((other) => other.id !== person.id);
          return items.length === 0 ? (
            <p className="note">Nobody else is found.</p>
          ) : (
            <fieldset className="choices">
              <legend className="unseen">People</legend>
              {items.map((other) => (
                <label key={other.id} className="choice">
                  <input type="radio" name={group} checked={from?.id === other.id} onChange={() => setFrom(other)} />
                  <Photo path={other.thumbnail} alt="" />
                  <span>{other.name}</span>
                  <span className="note">{count(other.faces, "face")}</span>
                </label>
              ))}
            </fieldset>
          );
        }}
      </Shown>
    </AskDialog>
  );
}

function Forget({ person, onClose, done }: DeedProps) {
  const forget = async () => {
    const { removed_faces } = await api.forgetPerson(person.id);
    forgetPictures();
    done(`${person.name} is forgotten: ${count(removed_faces, "face")} removed.`);
  };
  return (
    <AskDialog title={`Forget ${person.name}?`} label="Forget" onClose={onClose} act={forget} danger>
      <p>
        Faces, photos and best shots are erased from the disk, and results keep only when somebody was there. This
        cannot be undone.
      </p>
    </AskDialog>
  );
}
