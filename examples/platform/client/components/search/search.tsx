"use client";

import Link from "next/link";
import { useState } from "react";
import { Needs } from "@/components/shell/needs";
import { Decided } from "@/components/ui/decided";
import { PhotoDrop } from "@/components/ui/drop-zone";
import { PageHead } from "@/components/ui/page-head";
import { Empty, Failure, Loading } from "@/components/ui/states";
import * as api from "@/lib/api";
import { useLoad } from "@/lib/load";
import { useFile } from "@/lib/pictures";
import { COLOURS } from "@/lib/timeline";
import type { FoundFace, SearchAnswer } from "@/lib/types";
import { count, similarity } from "@/lib/words";

export function Search() {
  const [asked, setAsked] = useState<{ file: File; turn: number } | null>(null);
  return (
    <Needs scope="query" what="search by photo" title="Search by photo">
      <PageHead title="Search by photo" lead="Who is in this photo? It is looked at and not kept." />
      <PhotoDrop
        label="Drop a photo here, or choose one"
        onFiles={([file]) => file && setAsked((now) => ({ file, turn: (now?.turn ?? 0) + 1 }))}
      />
      {asked && <Answer key={asked.turn} file={asked.file} />}
    </Needs>
  );
}

function Answer({ file }: { file: File }) {
  const answer = useLoad("search", (signal) => api.searchByPhoto(file, signal));
  const { data, error, loading } = answer;
  return (
    <section className="found" aria-label="Result" aria-busy={loading}>
      {error && <Failure error={error} retry={answer.reload} />}
      {loading && !data && <Loading label="Looking at the photo" />}
      {data?.faces.length === 0 && <Empty icon="face" title="No face was found in this photo." />}
      <div className="found-grid">
        <Picture file={file} answer={data} />
        {data && data.faces.length > 0 && (
          <div>
            <div role="status">
              <h2>{count(data.faces.length, "face")} found</h2>
            </div>
            <ol className="faces">
              {data.faces.map((face, index) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: the faces of one answer never change.
                <Face key={index} face={face} number={index} />
              ))}
            </ol>
          </div>
        )}
      </div>
    </section>
  );
}

/** The photo with the faces boxed, in pixels of the photo as the gateway saw it: upright. */
function Picture({ file, answer }: { file: File; answer: SearchAnswer | undefined }) {
  const address = useFile(file);
  if (!address) return null;
  const { width = 1, height = 1, faces = [] } = answer ?? {};
  const unit = Math.max(width, height) / 100;
  return (
    <div className="found-picture">
      <img src={address} alt={file.name} />
      {answer && (
        <svg viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true">
          {faces.map(({ box: [x1, y1, x2, y2] }, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: as above.
            <g key={index} className={`colour-${index % COLOURS}`}>
              <rect x={x1} y={y1} width={x2 - x1} height={y2 - y1} rx={unit} />
              {faces.length > 1 && (
                <text x={x1 + unit} y={y1 + unit * 4.5} fontSize={unit * 4}>
                  {index + 1}
                </text>
              )}
            </g>
          ))}
        </svg>
      )}
    </div>
  );
}

function Face({ face, number }: { face: FoundFace; number: number }) {
  return (
    <li className={`panel face colour-${number % COLOURS}`}>
      <Decided of={face} />
      {face.candidates.length > 0 && (
        <table className="candidates">
          <caption className="unseen">Most similar people</caption>
          <thead className="unseen">
            <tr>
              <th scope="col">Person</th>
              <td aria-hidden="true" />
              <th scope="col">Similarity</th>
            </tr>
          </thead>
          <tbody>
            {face.candidates.map((candidate) => (
              <tr key={candidate.person_id}>
                <th scope="row">
                  <Link href={`/person/?id=${encodeURIComponent(candidate.person_id)}`}>{candidate.person}</Link>
                </th>
                <td aria-hidden="true">
                  <Scale value={candidate.similarity} needed={face.threshold} />
                </td>
                <td>{similarity(candidate.similarity)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <p className="note">A name needs a similarity of {similarity(face.threshold)} or more.</p>
    </li>
  );
}

function Scale({ value, needed }: { value: number; needed: number }) {
  const percent = (part: number) => `${100 * Math.min(Math.max(part, 0), 1)}%`;
  return (
    <div className="scale">
      <span className={value >= needed ? "scale-bar enough" : "scale-bar"} style={{ width: percent(value) }} />
      <span className="scale-mark" style={{ left: percent(needed) }} />
    </div>
  );
}
