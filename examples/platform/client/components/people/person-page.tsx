"use client";

import Link from "next/link";
import { useRouter } from "next/navigation";
import { useState } from "react";
import { ById } from "@/components/shell/by-id";
import { useMay } from "@/components/shell/me";
import { AskDialog } from "@/components/ui/dialog";
import { Listed } from "@/components/ui/listed";
import { PageHead } from "@/components/ui/page-head";
import { Photo } from "@/components/ui/photo";
import { Badge, Empty, Shown } from "@/components/ui/states";
import { tell, tellError } from "@/components/ui/toasts";
import * as api from "@/lib/api";
import { ApiError } from "@/lib/http";
import { useLoad, usePages } from "@/lib/load";
import { forgetPictures } from "@/lib/pictures";
import { save } from "@/lib/save";
import type { Id, Photo as PhotoItem } from "@/lib/types";
import { count, enrolmentWords, errorWords, rejectWords, when } from "@/lib/words";
import { type Deed, deedKinds, deedLabel, PersonDeeds } from "./deeds";

export function PersonPage() {
  return (
    <ById list={{ href: "/people/", label: "People" }} icon="people" what="person">
      {(id) => <One id={id} />}
    </ById>
  );
}

function One({ id }: { id: Id }) {
  const router = useRouter();
  const person = useLoad(`person ${id}`, (signal) => api.person(id, signal));
  const photos = usePages(`photos ${id}`, (cursor, signal) => api.photos(id, cursor, signal));
  const [deed, setDeed] = useState<Deed | null>(null);
  const mayEnrol = useMay("enrol");
  const mayExport = useMay("admin");
  const [unwanted, setUnwanted] = useState<PhotoItem | null>(null);
  const done = ({ kind }: Deed) => {
    if (kind === "forget") return router.replace("/people/");
    person.reload();
    photos.reload();
  };
  return (
    <Shown of={person} title="Person">
      {(who) => (
        <>
          <PageHead
            title={who.name}
            picture={<Photo path={who.thumbnail} alt="" />}
            lead={`${count(who.faces, "face")}, since ${when(who.created_ms)}`}
          >
            {mayEnrol && (
              <Link className="button main" href={`/enrol/?name=${encodeURIComponent(who.name)}`}>
                Add photos
              </Link>
            )}
            {mayExport && (
              <button
                type="button"
                className="button"
                onClick={() => api.exportPerson(id).then((data) => save(data, `${who.name}.jsonl`), tellError)}
              >
                Export
              </button>
            )}
            {mayEnrol &&
              deedKinds.map((kind) => (
                <button
                  type="button"
                  key={kind}
                  className={kind === "forget" ? "button danger-quiet" : "button"}
                  onClick={() => setDeed({ kind, person: who })}
                >
                  {deedLabel(kind)}
                </button>
              ))}
          </PageHead>
          <section aria-labelledby="photos">
            <div className="section-head">
              <h2 id="photos">Photos</h2>
            </div>
            <Listed
              of={photos}
              className="photos"
              label="Photos"
              empty={
                <Empty icon="face" title="No photos are kept of this person.">
                  <p>People enrolled from a video have faces, but no photos.</p>
                </Empty>
              }
            >
              {(photo) => (
                <PhotoCard key={photo.id} photo={photo} onRemove={mayEnrol ? () => setUnwanted(photo) : undefined} />
              )}
            </Listed>
          </section>
          {unwanted && (
            <RemovePhoto
              photo={unwanted}
              onClose={() => setUnwanted(null)}
              onDone={() => {
                person.reload();
                photos.reload();
              }}
            />
          )}
          {deed && <PersonDeeds deed={deed} onClose={() => setDeed(null)} onDone={done} />}
        </>
      )}
    </Shown>
  );
}

function RemovePhoto({ photo, onClose, onDone }: { photo: PhotoItem; onClose: () => void; onDone: () => void }) {
  const remove = async () => {
    await api.removePhoto(photo.id);
    forgetPictures();
    tell(`${photo.file_name} is removed.`);
    onClose();
    onDone();
  };
  const words = (error: unknown) =>
    error instanceof ApiError && error.status === 409
      ? "This is the person's last face. Forget the person instead."
      : errorWords(error);
  return (
    <AskDialog title={`Remove ${photo.file_name}?`} label="Remove" onClose={onClose} act={remove} words={words} danger>
      <p>The photo and the face that was found in it are erased. This cannot be undone.</p>
    </AskDialog>
  );
}

function PhotoCard({ photo, onRemove }: { photo: PhotoItem; onRemove: (() => void) | undefined }) {
  const tone =
    photo.state === "accepted" ? "good" : photo.state === "rejected" || photo.state === "failed" ? "bad" : "busy";
  return (
    <li className="photo-card">
      <Photo path={photo.url} alt={`Photo ${photo.file_name}`} />
      <span className="photo-name" title={photo.file_name}>
        {photo.file_name}
      </span>
      <Badge tone={tone}>{enrolmentWords[photo.state]}</Badge>
      {photo.reason && <span className="note">{rejectWords(photo.reason)}</span>}
      {onRemove && (
        <button type="button" className="button small" aria-label={`Remove ${photo.file_name}`} onClick={onRemove}>
          Remove…
        </button>
      )}
    </li>
  );
}
