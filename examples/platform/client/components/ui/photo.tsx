"use client";

import { useEffect, useState } from "react";
import { picture } from "@/lib/pictures";
import { Icon } from "./icons";

/** A picture of the gateway; a face drawn in outline until it is there, and where there is none. */
export function Photo({ path, alt, className = "" }: { path: string | null; alt: string; className?: string }) {
  const [shown, setShown] = useState<{ path: string; address: string } | null>(null);
  useEffect(() => {
    if (!path) return;
    let gone = false;
    picture(path).then(
      (address) => gone || setShown({ path, address }),
      () => {},
    );
    return () => {
      gone = true;
    };
  }, [path]);
  if (shown === null || shown.path !== path) {
    return (
      <span className={`photo none ${className}`} role="img" aria-label={alt || "No picture"} aria-hidden={alt === ""}>
        <Icon name="face" />
      </span>
    );
  }
  return <img className={`photo ${className}`} src={shown.address} alt={alt} onError={() => setShown(null)} />;
}
