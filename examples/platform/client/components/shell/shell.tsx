"use client";

import { type ReactNode, Suspense, useEffect } from "react";
import { Failure, Loading } from "@/components/ui/states";
import { Toasts } from "@/components/ui/toasts";
import * as api from "@/lib/api";
import { readKey, useKey } from "@/lib/key";
import { useLoad } from "@/lib/load";
import { MeProvider } from "./me";
import { Nav } from "./nav";
import { SignIn } from "./sign-in";

/** What is around every page: nothing is shown, or asked for, without a key. */
export function Shell({ children }: { children: ReactNode }) {
  const key = useKey();
  useEffect(readKey, []);
  if (key === undefined) {
    return (
      <main className="center" id="main">
        <Loading />
      </main>
    );
  }
  return (
    <>
      {key === null ? <SignIn /> : <SignedIn key={key}>{children}</SignedIn>}
      <Toasts />
    </>
  );
}

function SignedIn({ children }: { children: ReactNode }) {
  const me = useLoad("me", (signal) => api.me(undefined, signal));
  if (me.data === undefined) {
    return (
      <main className="center" id="main">
        {me.error ? <Failure error={me.error} retry={me.reload} /> : <Loading />}
      </main>
    );
  }
  return (
    <MeProvider value={me.data}>
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <div className="shell">
        <Nav name={me.data.name} />
        <main id="main" tabIndex={-1}>
          <Suspense fallback={<Loading />}>{children}</Suspense>
        </main>
      </div>
    </MeProvider>
  );
}
