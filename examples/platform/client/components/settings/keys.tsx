"use client";

import { useState } from "react";
import { AskDialog, Dialog } from "@/components/ui/dialog";
import { Checks, Field } from "@/components/ui/field";
import { Badge, Empty } from "@/components/ui/states";
import * as api from "@/lib/api";
import { usePages } from "@/lib/load";
import type { Key, NewKey, Scope } from "@/lib/types";
import { when } from "@/lib/words";
import { Section } from "./section";

const scopes: { value: Scope; text: string }[] = [
  { value: "read", text: "see people, videos and results" },
  { value: "query", text: "upload videos and search by photo" },
  { value: "enrol", text: "enrol, rename, merge and forget people" },
  { value: "admin", text: "everything, keys and webhooks too" },
];

export function Keys() {
  const keys = usePages("keys", (cursor, signal) => api.keys(cursor, signal));
  const [made, setMade] = useState<NewKey | null>(null);
  const onMade = (key: NewKey) => {
    setMade(key);
    keys.reload();
  };
  return (
    <>
      <Section
        title="API keys"
        of={keys}
        add={{ label: "New key…", dialog: (close) => <NewKeyDialog onClose={close} onMade={onMade} /> }}
        empty={<Empty icon="key" title="There are no keys." />}
        row={(key) => <KeyRow item={key} />}
        end={{
          label: "Revoke",
          of: ({ name }) => ({
            name,
            title: `Revoke ${name}?`,
            told: "Whoever uses this key is refused from now on. This cannot be undone.",
            done: `The key ${name} is revoked.`,
          }),
          act: (key) => api.revokeKey(key.id),
        }}
      />
      {made && <MadeDialog made={made} onClose={() => setMade(null)} />}
    </>
  );
}

function KeyRow({ item }: { item: Key }) {
  return (
    <>
      <div className="row-main">
        <span className="row-name">{item.name}</span>
        <span className="note">Made {when(item.created_ms)}</span>
      </div>
      <span className="row-badges">
        {item.scopes.map((scope) => (
          <Badge key={scope} tone="quiet">
            {scope}
          </Badge>
        ))}
      </span>
    </>
  );
}

function NewKeyDialog({ onClose, onMade }: { onClose: () => void; onMade: (key: NewKey) => void }) {
  const [name, setName] = useState("");
  const [chosen, setChosen] = useState<Scope[]>(["read"]);
  const make = async () => {
    const made = await api.createKey(name.trim(), chosen);
    onClose();
    onMade(made);
  };
  const ready = name.trim() !== "" && chosen.length > 0;
  return (
    <AskDialog title="New key" label="Make key" onClose={onClose} act={make} ready={ready}>
      <Field label="What is it for?" value={name} onText={setName} maxLength={100} required />
      <Checks legend="It may" options={scopes} chosen={chosen} onChange={setChosen} />
    </AskDialog>
  );
}

function MadeDialog({ made, onClose }: { made: NewKey; onClose: () => void }) {
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
      <Field label="Key" className="mono" readOnly value={made.key} onFocus={(event) => event.target.select()} />
      <p className="note" role="status">
        {told}
      </p>
      <div className="actions">
        <button type="button" className="button" onClick={onClose}>
          Done
        </button>
        <button type="button" className="button main" onClick={copy}>
          Copy
        </button>
      </div>
    </Dialog>
  );
}
