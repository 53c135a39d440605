"use client";

import type { ReactNode } from "react";
import { PageHead } from "@/components/ui/page-head";
import { Empty } from "@/components/ui/states";
import type { Scope } from "@/lib/types";
import { useMay } from "./me";

/** A page for keys with `scope`; others are told that they may not `what`. */
export function Needs({
  scope,
  what,
  title,
  children,
}: {
  scope: Scope;
  what: string;
  title: string;
  children: ReactNode;
}) {
  if (useMay(scope)) return children;
  return (
    <>
      <PageHead title={title} />
      <Empty icon="key" title={`This key may not ${what}.`}>
        <p>Sign in with a key that has the scope “{scope}”.</p>
      </Empty>
    </>
  );
}
