import type { ReactNode } from "react";
import type { Decision } from "@/lib/types";
import { decisionWords, isForgotten } from "@/lib/words";
import { Badge } from "./states";

/** Who it was taken for, whether that is somebody, and why. */
export function Decided({ of, label, children }: { of: Decision; label?: string; children?: ReactNode }) {
  const known = of.person !== null;
  return (
    <>
      <div className="result-head">
        <h3>{label ?? of.person ?? "Unknown"}</h3>
        <Badge tone={known ? "good" : "quiet"}>
          {known ? "Recognised" : isForgotten(of) ? "Forgotten" : "Unknown"}
        </Badge>
      </div>
      {children}
      <p>{decisionWords(of)}</p>
    </>
  );
}
