"use client";

import { type FormEvent, useId, useRef, useState } from "react";
import { Dialog } from "@/components/ui/dialog";
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

export function PersonDeeds({ deed, onClose, onDone }: Props) {
  const done = (text: string) => {
    tell(text);
    onClose();
    onDone(deed);
  };
  const { person } = deed;
  if (deed.kind === "rename") return <Rename person={person} onClose={onClose} done={done} />;
  if (deed.kind === "merge") return <Merge person={person} onClose={onClose} done={done} />;
  return <Forget person={person} onClose={onClose} done={done} />;
}

interface DeedProps {
  person: Person;
  onClose: () => void;
  done: (text: string) => void;
}

/** Runs something once at a time and keeps its error for the dialog. */
function useDeed() {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const run = async (act: () => Promise<void>) => {
    setBusy(true);
    setError(null);
    try {
      await act();
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return { busy, error, run };
}

function Rename({ person, onClose, done }: DeedProps) {
  const [name, setName] = useState(person.name);
  const { busy, error, run } = useDeed();
  const id = useId();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void run(async () => {
      await api.renamePerson(person.id, name.trim());
      done(`${person.name} is now called ${name.trim()}.`);
    });
  };
  const taken = error instanceof ApiError && error.status === 409;
  return (
    <Dialog title={`Rename ${person.name}`} onClose={onClose}>
      <form onSubmit={submit}>
        <div className="field">
          <label htmlFor={id}>New name</label>
          <input id={id} value={name} onChange={(event) => setName(event.target.value)} maxLength={200} required />
        </div>
        <p className="problem" role="alert">
          {taken
            ? "Somebody has this name already. If it is the same person, merge the two instead."
            : error
              ? errorWords(error)
              : ""}
        </p>
        <div className="actions">
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button
            type="submit"
            className="button main"
            disabled={busy || name.trim() === "" || name.trim() === person.name}
          >
            Rename
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function Merge({ person, onClose, done }: DeedProps) {
  const [q, setQ] = useState("");
  const [from, setFrom] = useState<Person | null>(null);
  const { busy, error, run } = useDeed();
  const id = useId();
  const others = useLoad(`merge ${q}`, (signal) => api.persons(q.trim(), null, signal, 12));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!from) return;
    void run(async () => {
      await api.mergePersons(person.id, from.id);
      forgetPictures();
      done(`${from.name} was merged into ${person.name}.`);
    });
  };
  return (
    <Dialog title={`Merge somebody into ${person.name}`} onClose={onClose}>
      <form onSubmit={submit}>
        <p>All faces of the other person go to {person.name}; the other name is gone. This cannot be undone.</p>
        <div className="field">
          <label htmlFor={id}>Who is the same person?</label>
          <input id={id} type="search" value={q} onChange={(event) => setQ(event.target.value)} autoComplete="off" />
        </div>
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
                    <input
                      type="radio"
                      name={`${id}-from`}
                      checked={from?.id === other.id}
                      onChange={() => setFrom(other)}
                    />
                    <Photo path={other.thumbnail} alt="" />
                    <span>{other.name}</span>
                    <span className="note">{count(other.faces, "face")}</span>
                  </label>
                ))}
              </fieldset>
            );
          }}
        </Shown>
        <p className="problem" role="alert">
          {error ? errorWords(error) : ""}
        </p>
        <div className="actions">
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="button main" disabled={busy || !from}>
            Merge
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function Forget({ person, onClose, done }: DeedProps) {
  const { busy, error, run } = useDeed();
  const forget = () =>
    run(async () => {
      const { removed_faces } = await api.forgetPerson(person.id);
      forgetPictures();
      done(`${person.name} is forgotten: ${count(removed_faces, "face")} removed.`);
    });
  return (
    <Dialog title={`Forget ${person.name}?`} onClose={onClose}>
      <p>
        Faces, photos and thumbnails are erased from the disk, and videos no longer show the name. This cannot be
        undone.
      </p>
      <p className="problem" role="alert">
        {error ? errorWords(error) : ""}
      </p>
      <div className="actions">
        <button type="button" className="button" onClick={onClose}>
          Keep
        </button>
        <button type="button" className="button danger" onClick={forget} disabled={busy}>
          Forget
        </button>
      </div>
    </Dialog>
  );
}
