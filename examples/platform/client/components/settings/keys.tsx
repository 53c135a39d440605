"use client";

import { type FormEvent, useId, useState } from "react";
import { Dialog } from "@/components/ui/dialog";
import { Badge, Empty, More, Shown } from "@/components/ui/states";
import { tell, tellError } from "@/components/ui/toasts";
import * as api from "@/lib/api";
import { usePages } from "@/lib/load";
import type { Key, NewKey, Scope } from "@/lib/types";
import { errorWords, when } from "@/lib/words";

const scopes: { scope: Scope; may: string }[] = [
  { scope: "read", may: "see people, videos and results" },
  { scope: "query", may: "upload videos and search by photo" },
  { scope: "enrol", may: "enrol, rename, merge and forget people" },
  { scope: "admin", may: "everything, keys and webhooks too" },
];

export function Keys() {
  const keys = usePages("keys", (cursor, signal) => api.keys(cursor, signal));
  const [adding, setAdding] = useState(false);
  const [made, setMade] = useState<NewKey | null>(null);
  const [revoking, setRevoking] = useState<Key | null>(null);
  const revoke = async (key: Key) => {
    try {
      await api.revokeKey(key.id);
      tell(`The key ${key.name} is revoked.`);
      keys.reload();
    } catch (error) {
      tellError(error);
    } finally {
      setRevoking(null);
    }
  };
  return (
    <section aria-labelledby="keys">
      <div className="section-head">
        <h2 id="keys">API keys</h2>
        <button type="button" className="button" onClick={() => setAdding(true)}>
          New key…
        </button>
      </div>
      <Shown of={keys}>
        {(items) =>
          items.length === 0 ? (
            <Empty icon="key" title="There are no keys." />
          ) : (
            <>
              <ul className="rows" aria-label="API keys">
                {items.map((key) => (
                  <li key={key.id}>
                    <div className="row-main">
                      <span className="row-name">{key.name}</span>
                      <span className="note">
                        Made {when(key.created_ms)}
                        {key.last_used_ms === null && ", never used"}
                        {key.last_used_ms != null && `, last used ${when(key.last_used_ms)}`}
                      </span>
                    </div>
                    <span className="row-badges">
                      {key.scopes.map((scope) => (
                        <Badge key={scope} tone="quiet">
                          {scope}
                        </Badge>
                      ))}
                    </span>
                    <button
                      type="button"
                      className="button small"
                      onClick={() => setRevoking(key)}
                      aria-label={`Revoke ${key.name}`}
                    >
                      Revoke…
                    </button>
                  </li>
                ))}
              </ul>
              <More pages={keys} />
            </>
          )
        }
      </Shown>
      {adding && (
        <NewKeyDialog
          onClose={() => setAdding(false)}
          onMade={(key) => {
            setAdding(false);
            setMade(key);
            keys.reload();
          }}
        />
      )}
      {made && <MadeDialog made={made} onClose={() => setMade(null)} />}
      {revoking && (
        <Dialog title={`Revoke ${revoking.name}?`} onClose={() => setRevoking(null)}>
          <p>Whoever uses this key is refused from now on. This cannot be undone.</p>
          <div className="actions">
            <button type="button" className="button" onClick={() => setRevoking(null)}>
              Keep
            </button>
            <button type="button" className="button danger" onClick={() => revoke(revoking)}>
              Revoke
            </button>
          </div>
        </Dialog>
      )}
    </section>
  );
}

function NewKeyDialog({ onClose, onMade }: { onClose: () => void; onMade: (key: NewKey) => void }) {
  const [name, setName] = useState("");
  const [chosen, setChosen] = useState<Scope[]>(["read"]);
  const [error, setError] = useState<string | null>(null);
  const id = useId();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setError(null);
    try {
      onMade(await api.createKey(name.trim(), chosen));
    } catch (problem) {
      setError(errorWords(problem));
    }
  };
  const toggle = (scope: Scope) =>
    setChosen((now) => (now.includes(scope) ? now.filter((each) => each !== scope) : [...now, scope]));
  return (
    <Dialog title="New key" onClose={onClose}>
      <form onSubmit={submit}>
        <div className="field">
          <label htmlFor={id}>What is it for?</label>
          <input id={id} value={name} onChange={(event) => setName(event.target.value)} maxLength={100} required />
        </div>
        <fieldset className="checks">
          <legend>It may</legend>
          {scopes.map(({ scope, may }) => (
            <label key={scope} className="check">
              <input type="checkbox" checked={chosen.includes(scope)} onChange={() => toggle(scope)} />
              <span>
                <strong>{scope}</strong>: {may}
              </span>
            </label>
          ))}
        </fieldset>
        <p className="problem" role="alert">
          {error}
        </p>
        <div className="actions">
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="button main" disabled={name.trim() === "" || chosen.length === 0}>
            Make key
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function MadeDialog({ made, onClose }: { made: NewKey; onClose: () => void }) {
  const id = useId();
  // Told in the dialog: what is behind it is not read aloud.
  const [told, setTold] = useState("");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(made.key);
      setTold("The key is copied.");
    } catch {
      setTold("Copying is not allowed here: mark the key and copy it.");
    }
  };
  return (
    <Dialog title={`The key ${made.name}`} onClose={onClose}>
      <p>Copy it now: only its hash is kept, so it cannot be shown again.</p>
      <div className="field">
        <label htmlFor={id}>Key</label>
        <input id={id} className="mono" readOnly value={made.key} onFocus={(event) => event.target.select()} />
      </div>
      <p className="note" role="status">
        {told}
      </p>
      <div className="actions">
        <button type="button" className="button" onClick={copy}>
          Copy
        </button>
        <button type="button" className="button main" onClick={onClose}>
          Done
        </button>
      </div>
    </Dialog>
  );
}
