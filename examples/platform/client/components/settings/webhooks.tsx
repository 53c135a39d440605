"use client";

import { useState } from "react";
import { AskDialog, Dialog } from "@/components/ui/dialog";
import { Checks, Field } from "@/components/ui/field";
import { Listed } from "@/components/ui/listed";
import { Badge, Empty, Problem, type Tone } from "@/components/ui/states";
import { tell } from "@/components/ui/toasts";
import { useAct } from "@/lib/act";
import * as api from "@/lib/api";
import { usePages } from "@/lib/load";
import type { Delivery, Webhook } from "@/lib/types";
import { count, errorWords, eventWords, when } from "@/lib/words";
import { Section } from "./section";

const events = ["session.done", "session.failed", "enrolment.accepted", "enrolment.rejected", "enrolment.failed"].map(
  (value) => ({ value, text: eventWords(value) }),
);

export function Webhooks() {
  const hooks = usePages("webhooks", (cursor, signal) => api.webhooks(cursor, signal));
  const [shown, setShown] = useState<Webhook | null>(null);
  return (
    <>
      <Section
        title="Webhooks"
        of={hooks}
        add={{ label: "New webhook…", dialog: (close) => <NewWebhook onClose={close} onMade={hooks.reload} /> }}
        empty={
          <Empty icon="webhook" title="No webhooks.">
            <p>A webhook tells another server when a video is done or somebody is enrolled.</p>
          </Empty>
        }
        row={(hook) => (
          <>
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
          </>
        )}
        end={{
          label: "Remove",
          of: ({ url }) => ({
            name: url,
            title: "Remove this webhook?",
            told: `${url} is told nothing from now on, and what was sent to it is no longer listed.`,
            done: "The webhook is removed.",
          }),
          act: (hook) => api.deleteWebhook(hook.id),
        }}
      />
      {shown && <Deliveries hook={shown} onClose={() => setShown(null)} />}
    </>
  );
}

function NewWebhook({ onClose, onMade }: { onClose: () => void; onMade: () => void }) {
  const [url, setUrl] = useState("");
  const [secret, setSecret] = useState("");
  const [chosen, setChosen] = useState(["session.done"]);
  const make = async () => {
    await api.createWebhook(url.trim(), secret, chosen);
    onClose();
    tell("The webhook is set up.");
    onMade();
  };
  const ready = url.trim() !== "" && secret.length >= 16 && chosen.length > 0;
  return (
    <AskDialog title="New webhook" label="Set up" onClose={onClose} act={make} ready={ready}>
      <Field label="Address" type="url" value={url} onText={setUrl} placeholder="https://…" required />
      <Field
        label="Secret"
        type="password"
        value={secret}
        onText={setSecret}
        minLength={16}
        required
        note="At least 16 letters. Every delivery is signed with it."
      />
      <Checks legend="Tell about" options={events} chosen={chosen} onChange={setChosen} />
    </AskDialog>
  );
}

const tones: Record<Delivery["state"], { tone: Tone; label: string }> = {
  pending: { tone: "busy", label: "Waiting" },
  delivered: { tone: "good", label: "Delivered" },
  dead: { tone: "bad", label: "Given up" },
};

function Deliveries({ hook, onClose }: { hook: Webhook; onClose: () => void }) {
  const pages = usePages(`deliveries ${hook.id}`, (cursor, signal) => api.deliveries(hook.id, cursor, signal));
  const { busy, error, run } = useAct();
  const retry = (delivery: Delivery) =>
    run(async () => {
      await api.retryDelivery(hook.id, delivery.id);
      pages.reload();
    });
  return (
    <Dialog title="Deliveries" onClose={onClose}>
      <p className="note">{hook.url}</p>
      <Listed of={pages} className="rows" label="Deliveries" empty={<p>Nothing was sent yet.</p>}>
        {(delivery) => (
          <li key={delivery.id}>
            <div className="row-main">
              <span className="row-name">{delivery.event}</span>
              <span className="note">
                {when(delivery.created_ms)}, {count(delivery.attempts, "attempt")}
              </span>
              {delivery.answer && delivery.state !== "delivered" && <span className="note">{delivery.answer}</span>}
            </div>
            <Badge tone={tones[delivery.state].tone}>{tones[delivery.state].label}</Badge>
            {delivery.state === "dead" && (
              <button type="button" className="button small" disabled={busy} onClick={() => retry(delivery)}>
                Send again
              </button>
            )}
          </li>
        )}
      </Listed>
      <Problem>{error === null ? null : errorWords(error)}</Problem>
      <div className="actions">
        <button type="button" className="button main" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  );
}
