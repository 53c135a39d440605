"use client";

import { type FormEvent, useId, useState } from "react";
import * as api from "@/lib/api";
import { ApiError } from "@/lib/http";
import { signedOut, signIn } from "@/lib/key";
import { useStore } from "@/lib/store";
import { errorWords } from "@/lib/words";
import { Logo } from "./logo";

/** Asks for a key and tries it before it is kept. */
export function SignIn() {
  const why = useStore(signedOut, null);
  const [key, setKey] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const id = useId();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const value = key.trim();
    // Header values are Latin letters; anything else cannot be a key, and could not even be sent.
    if (!/^[\x21-\x7e]+$/.test(value)) return setError("A key has no spaces and no special letters. Copy it again.");
    setBusy(true);
    setError(null);
    try {
      await api.me(value);
      signIn(value);
    } catch (problem) {
      const refused = problem instanceof ApiError && problem.status === 401;
      setError(refused ? "This key is not known here. Check that it was copied whole." : errorWords(problem));
    } finally {
      setBusy(false);
    }
  };
  const problem = error ?? why;
  return (
    <main className="sign-in" id="main">
      <form className="panel" onSubmit={submit}>
        <Logo />
        <h1>Sign in</h1>
        <p className="lead">Enter an API key. The first one was printed when the platform was started.</p>
        <div className="field">
          <label htmlFor={id}>API key</label>
          <input
            id={id}
            type="password"
            value={key}
            onChange={(event) => setKey(event.target.value)}
            autoComplete="off"
            spellCheck={false}
            required
            aria-invalid={error !== null}
            aria-describedby={`${id}-note ${id}-error`}
          />
          <p className="note" id={`${id}-note`}>
            Kept in this tab only, until you close it.
          </p>
        </div>
        <p className="problem" role="alert" id={`${id}-error`}>
          {problem}
        </p>
        <button type="submit" className="button main" disabled={busy}>
          {busy ? "Checking…" : "Sign in"}
        </button>
      </form>
    </main>
  );
}
