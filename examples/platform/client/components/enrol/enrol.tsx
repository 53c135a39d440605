"use client";

import { useSearchParams } from "next/navigation";
import { useState } from "react";
import { Needs } from "@/components/shell/needs";
import { PhotoDrop } from "@/components/ui/drop-zone";
import { PageHead } from "@/components/ui/page-head";
import { PersonInput } from "@/components/ui/person-input";
import { Badge, type Tone } from "@/components/ui/states";
import { addPhotos, clearPhotos, isOver, type PhotoJob, photoJobs, retryPhoto } from "@/lib/enrolments";
import { useFile } from "@/lib/pictures";
import { useStore } from "@/lib/store";
import { count, enrolmentWords, errorWords, rejectWords } from "@/lib/words";

const none: PhotoJob[] = [];

export function Enrol() {
  return (
    <Needs scope="enrol" what="enrol people" title="Enrol">
      <EnrolForm />
    </Needs>
  );
}

function EnrolForm() {
  const given = useSearchParams().get("name") ?? "";
  const [name, setName] = useState(given);
  const [held, setHeld] = useState<File[]>([]);
  const jobs = useStore(photoJobs, none);
  const wanted = name.trim();
  const add = (files: File[]) => {
    if (wanted) addPhotos(wanted, files);
    else setHeld(files);
  };
  return (
    <>
      <PageHead
        title="Enrol"
        lead="Two to five clear photos of one person work best: from the front, well lit, nobody else in the picture."
      />
      <form
        className="panel enrol-form"
        onSubmit={(event) => {
          event.preventDefault();
          if (wanted && held.length > 0) addPhotos(wanted, held);
          setHeld([]);
        }}
      >
        <PersonInput
          label="Name of the person"
          value={name}
          onText={setName}
          placeholder="A new name, or one that exists"
        />
        <PhotoDrop multiple label="Drop photos here, or choose them" onFiles={add} />
        {held.length > 0 && (
          <div className="held" role="status">
            <p>
              {count(held.length, "photo")} chosen.{" "}
              {wanted ? "Ready to enrol." : "Whose are they? Enter the name first."}
            </p>
            <button type="submit" className="button main" disabled={!wanted}>
              Enrol {count(held.length, "photo")}
            </button>
          </div>
        )}
      </form>
      {jobs.length > 0 && <Jobs jobs={jobs} />}
    </>
  );
}

function Jobs({ jobs }: { jobs: PhotoJob[] }) {
  const over = jobs.filter(isOver);
  const accepted = jobs.filter((job) => job.state === "accepted").length;
  const refused = over.length - accepted;
  return (
    <section aria-label="Photos">
      <div className="section-head">
        <h2>Photos</h2>
        <p className="note" role="status">
          {over.length < jobs.length && `${jobs.length - over.length} under way. `}
          {accepted} accepted, {refused} not accepted.
        </p>
        {over.length > 0 && (
          <button type="button" className="button small" onClick={clearPhotos}>
            Clear list
          </button>
        )}
      </div>
      <ul className="photos">
        {jobs.map((job) => (
          <Job key={job.key} job={job} />
        ))}
      </ul>
    </section>
  );
}

const tones: Record<PhotoJob["state"], Tone> = {
  waiting: "quiet",
  sending: "busy",
  queued: "busy",
  running: "busy",
  accepted: "good",
  rejected: "bad",
  failed: "bad",
};

const labels = { waiting: "Waiting", sending: "Sending", ...enrolmentWords };

function Job({ job }: { job: PhotoJob }) {
  return (
    <li className="photo-card" data-state={job.state}>
      <Preview file={job.file} />
      <span className="photo-name" title={job.file.name}>
        {job.file.name}
      </span>
      <span className="note">for {job.name}</span>
      <Badge tone={tones[job.state]}>{labels[job.state]}</Badge>
      {job.state === "rejected" && <span className="note">{rejectWords(job.reason) || job.message}</span>}
      {job.state === "failed" && (
        <>
          <span className="note">{job.error ? errorWords(job.error) : rejectWords(job.reason) || job.message}</span>
          <button type="button" className="button small" onClick={() => retryPhoto(job.key)}>
            Try again
          </button>
        </>
      )}
    </li>
  );
}

function Preview({ file }: { file: File }) {
  const address = useFile(file);
  return address ? <img className="photo" src={address} alt="" /> : <span className="photo none" />;
}
