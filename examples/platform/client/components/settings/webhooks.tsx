"use client";

import { type FormEvent, useId, useState } from "react";
import { Dialog } from "@/components/ui/dialog";
import { Badge, Empty, More, Shown, type Tone } from "@/components/ui/states";
import { tell, tellError } from "@/components/ui/toasts";
import * as api from "@/lib/api";
import { usePages } from "@/lib/load";
import type { Delivery, Webhook } from "@/lib/types";
import { count, errorWords, when } from "@/lib/words";

const events = ["session.done", "session.failed", "enrolment.accepted", "enrolment.rejected", "enrolment.failed"];

export function Webhooks() {
  const hooks = usePages("webhooks", (cursor, signal) => api.webhooks(cursor, signal));
  const [adding, setAdding] = useState(false);
  const [shown, setShown] = useState<Webhook | null>(null);
  const [removing, setRemoving] = useState<Webhook | null>(null);
  const remove = async (hook: Webhook) => {
    try {
      await api.deleteWebhook(hook.id);
      tell("The webhook is removed.");
      hooks.reload();
    } catch (error) {
      tellError(error);
    } finally {
      setRemoving(null);
    }
  };
  return (
    <section aria-labelledby="webhooks">
      <div className="section-head">
        <h2 id="webhooks">Webhooks</h2>
        <button type="button" className="button" onClick={() => setAdding(true)}>
          New webhook…
        </button>
      </div>
      <Shown of={hooks}>
        {(items) =>
          items.length === 0 ? (
            <Empty icon="settings" title="No webhooks.">
              <p>A webhook tells another server when a video is done or somebody is found.</p>
            </Empty>
          ) : (
            <>
              <ul className="rows" aria-label="Webhooks">
                {items.map((hook) => (
                  <li key={hook.id}>
                    <div className="row-main">
                      <span className="row-name">{hook.url}</span>
                      <span className="note">{hook.events.join(", ")}</span>
                    </div>
                    <button
                      type="button"
                      className="button small"
                      onClick={() => setShown(hook)}
                      aria-label={`Deliveries to ${hook.url}`}
                    >
                      Deliveries
                    </button>
                    <button
                      type="button"
                      className="button small"
                      onClick={() => setRemoving(hook)}
                      aria-label={`Remove ${hook.url}`}
                    >
                      Remove…
                    </button>
                  </li>
                ))}
              </ul>
              <More pages={hooks} />
            </>
          )
        }
      </Shown>
      {adding && (
        <NewWebhook
          onClose={() => setAdding(false)}
          onMade={() => {
            setAdding(false);
            tell("The webhook is set up.");
            hooks.reload();
          }}
        />
      )}
      {removing && (
        <Dialog title="Remove this webhook?" onClose={() => setRemoving(null)}>
          <p>{removing.url} is told nothing from now on, and what was sent to it is no longer listed.</p>
          <div className="actions">
            <button type="button" className="button" onClick={() => setRemoving(null)}>
              Keep
            </button>
            <button type="button" className="button danger" onClick={() => remove(removing)}>
              Remove
            </button>
          </div>
        </Dialog>
      )}
      {shown && <Deliveries hook={shown} onClose={() => setShown(null)} />}
    </section>
  );
}

function NewWebhook({ onClose, onMade }: { onClose: () => void; onMade: () => void }) {
  const [url, setUrl] = useState("");
  const [secret, setSecret] = useState("");
  const [chosen, setChosen] = useState<string[]>(["session.done"]);
  const [error, setError] = useState<string | null>(null);
  const id = useId();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setError(null);
    try {
      await api.createWebhook(url.trim(), secret, chosen);
      onMade();
    } catch (problem) {
      setError(errorWords(problem));
    }
  };
  const toggle = (name: string) =>
    setChosen((now) => (now.includes(name) ? now.filter((each) => each !== name) : [...now, name]));
  return (
    <Dialog title="New webhook" onClose={onClose}>
      <form onSubmit={submit}>
        <div className="field">
          <label htmlFor={`${id}-url`}>Address</label>
          <input
            id={`${id}-url`}
            type="url"
            value={url}
            onChange={(event) => setUrl(event.target.value)}
            placeholder="https://…"
            required
          />
        </div>
        <div className="field">
          <label htmlFor={`${id}-secret`}>Secret</label>
          <input
            id={`${id}-secret`}
            type="password"
            value={secret}
            onChange={(event) => setSecret(event.target.value)}
            autoComplete="off"
            minLength={16}
            required
            aria-describedby={`${id}-note`}
          />
          <p className="note" id={`${id}-note`}>
            At least 16 letters. Every delivery is signed with it.
          </p>
        </div>
        <fieldset className="checks">
          <legend>Tell about</legend>
          {events.map((name) => (
            <label key={name} className="check">
              <input type="checkbox" checked={chosen.includes(name)} onChange={() => toggle(name)} />
              <span>{name}</span>
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
          <button
            type="submit"
            className="button main"
            disabled={url.trim() === "" || secret.length < 16 || chosen.length === 0}
          >
            Set up
          </button>
        </div>
      </form>
    </Dialog>
  );
}

const tones: Record<Delivery["state"], { tone: Tone; label: string }> = {
  pending: { tone: "busy", label: "Waiting" },
  delivered: { tone: "good", label: "Delivered" },
  dead: { tone: "bad", label: "Given up" },
};

function Deliveries({ hook, onClose }: { hook: Webhook; onClose: () => void }) {
  const pages = usePages(`deliveries ${hook.id}`, (cursor, signal) => api.deliveries(hook.id, cursor, signal));
  return (
    <Dialog title="Deliveries" onClose={onClose}>
      <p className="note">{hook.url}</p>
      <Shown of={pages}>
        {(items) =>
          items.length === 0 ? (
            <p>Nothing was sent yet.</p>
          ) : (
            <>
              <ul className="rows">
                {items.map((delivery) => (
                  <li key={delivery.id}>
                    <div className="row-main">
                      <span className="row-name">{delivery.event}</span>
                      <span className="note">
                        {when(delivery.created_ms)}, {count(delivery.attempts, "attempt")}
                        {delivery.answer ? `: ${delivery.answer}` : ""}
                      </span>
                    </div>
                    <Badge tone={tones[delivery.state].tone}>{tones[delivery.state].label}</Badge>
                  </li>
                ))}
              </ul>
              <More pages={pages} />
            </>
          )
        }
      </Shown>
      <div className="actions">
        <button type="button" className="button main" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  );
}
