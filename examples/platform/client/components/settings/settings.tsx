"use client";

import { useMay, useMe } from "@/components/shell/me";
import { Icon } from "@/components/ui/icons";
import { PageHead } from "@/components/ui/page-head";
import { Badge } from "@/components/ui/states";
import { signOut } from "@/lib/key";
import { forgetPictures } from "@/lib/pictures";
import { History } from "./history";
import { Keys } from "./keys";
import { Webhooks } from "./webhooks";

export function Settings() {
  const me = useMe();
  const admin = useMay("admin");
  return (
    <>
      <PageHead title="Settings" />
      <section className="panel you" aria-labelledby="you">
        <div>
          <h2 id="you">Signed in</h2>
          <p>
            with the key <strong>{me?.name}</strong>, which may:{" "}
            {me?.scopes.map((scope) => (
              <Badge key={scope} tone="quiet">
                {scope}
              </Badge>
            ))}
          </p>
        </div>
        <button
          type="button"
          className="button"
          onClick={() => {
            forgetPictures();
            signOut();
          }}
        >
          <Icon name="out" />
          Sign out
        </button>
      </section>
      {admin ? (
        <>
          <Keys />
          <Webhooks />
          <History />
        </>
      ) : (
        <p className="note">Keys, webhooks and the history are for keys with the scope “admin”.</p>
      )}
    </>
  );
}
