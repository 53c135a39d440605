"use client";

import { type FormEvent, useId, useState } from "react";
import { Field } from "@/components/ui/field";
import { Problem } from "@/components/ui/states";
import { useAct } from "@/lib/act";
import * as api from "@/lib/api";
import { ApiError } from "@/lib/http";
import { signedOut, signIn } from "@/lib/key";
import { useStore } from "@/lib/store";
import { errorWords } from "@/lib/words";
import { Logo } from "./logo";

const words = (error: unknown) =>
  error instanceof ApiError && error.status === 401
    ? "This key is not known here. Check that it was copied whole."
    : errorWords(error);

/** Asks for a key and tries it before it is kept. */
export function SignIn() {
  const why = useStore(signedOut, null);
  const [key, setKey] = useState("");
  const { busy, error, run } = useAct();
  const id = useId();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const value = key.trim();
    void run(async () => {
      // Header values are Latin letters; anything else cannot be a key, and could not even be sent.
      if (!/^[\x21-\x7e]+$/.test(value)) throw new Error("A key has no spaces and no special letters. Copy it again.");
      await api.me(value);
      signIn(value);
    });
  };
  return (
    <main className="sign-in" id="main">
      <form className="panel" onSubmit={submit}>
        <Logo />
        <h1>Sign in</h1>
        <p className="lead">Enter an API key. The first one was printed when the platform was started.</p>
        <Field
          label="API key"
          type="password"
          value={key}
          onText={setKey}
          required
          aria-invalid={error !== null}
          aria-describedby={id}
          note="Kept in this tab only, until you close it."
        />
        <Problem id={id}>{error === null ? why : words(error)}</Problem>
        <button type="submit" className="button main" disabled={busy}>
          {busy ? "Checking…" : "Sign in"}
        </button>
      </form>
    </main>
  );
}
