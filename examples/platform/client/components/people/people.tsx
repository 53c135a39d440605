"use client";

import Link from "next/link";
import { useDeferredValue, useEffect, useId, useState } from "react";
import { useMay } from "@/components/shell/me";
import { Icon } from "@/components/ui/icons";
import { Listed } from "@/components/ui/listed";
import { PageHead } from "@/components/ui/page-head";
import { Photo } from "@/components/ui/photo";
import { Empty } from "@/components/ui/states";
import * as api from "@/lib/api";
import { enrolled } from "@/lib/enrolments";
import { usePages } from "@/lib/load";
import { useStore } from "@/lib/store";
import type { Person } from "@/lib/types";
import { count } from "@/lib/words";
import { type Deed, PersonDeeds, PersonMenu } from "./deeds";

/** Waits until typing pauses, so that not every letter is a question to the gateway. */
function usePause(value: string, ms: number): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}

export function People() {
  const [typed, setTyped] = useState("");
  const q = usePause(useDeferredValue(typed.trim()), 200);
  const news = useStore(enrolled, 0);
  const people = usePages(`people ${q} ${news}`, (cursor, signal) => api.persons(q, cursor, signal));
  const [deed, setDeed] = useState<Deed | null>(null);
  const mayEnrol = useMay("enrol");
  const id = useId();
  return (
    <>
      <PageHead title="People" lead="Everybody the gallery can recognise.">
        {mayEnrol && (
          <Link className="button main" href="/enrol/">
            <Icon name="enrol" />
            Enrol
          </Link>
        )}
      </PageHead>
      <search className="search-field">
        <label htmlFor={id} className="unseen">
          Search people by name
        </label>
        <Icon name="search" />
        <input
          id={id}
          type="search"
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
          placeholder="Search by name"
          autoComplete="off"
          spellCheck={false}
        />
      </search>
      <Listed of={people} className="people" label="People" empty={<NoPeople q={q} mayEnrol={mayEnrol} />}>
        {(person) => <PersonCard key={person.id} person={person} onDeed={mayEnrol ? setDeed : null} />}
      </Listed>
      {deed && <PersonDeeds deed={deed} onClose={() => setDeed(null)} onDone={people.reload} />}
    </>
  );
}

function NoPeople({ q, mayEnrol }: { q: string; mayEnrol: boolean }) {
  if (q) return <Empty icon="search" title={`Nobody's name contains “${q}”.`} />;
  return (
    <Empty icon="people" title="Nobody is enrolled yet.">
      <p>Add a few photos of a person, and the gallery recognises them in photos and videos.</p>
      {mayEnrol && (
        <Link className="button main" href="/enrol/">
          Enrol somebody
        </Link>
      )}
    </Empty>
  );
}

function PersonCard({ person, onDeed }: { person: Person; onDeed: ((deed: Deed) => void) | null }) {
  return (
    <li className="person">
      <Link href={`/person/?id=${encodeURIComponent(person.id)}`}>
        <Photo path={person.thumbnail} alt="" />
        <span className="person-name">{person.name}</span>
        <span className="person-note">{count(person.faces, "face")}</span>
      </Link>
      {onDeed && <PersonMenu person={person} onDeed={onDeed} />}
    </li>
  );
}
