"use client";

import { useEffect, useState } from "react";
import { send } from "./http";

/** Pictures are fetched with the key and shown from memory, so that no address that opens them ends up in a log or a history. */
const pictures = new Map<string, Promise<string>>();

/** Pictures kept at most; the ones shown longest ago go first. */
const MOST = 400;

/** An address of the picture for this page alone. */
export function picture(path: string): Promise<string> {
  const known = pictures.get(path);
  pictures.delete(path);
  const address = known ?? send(path).then(async (response) => URL.createObjectURL(await response.blob()));
  pictures.set(path, address);
  if (!known) address.catch(() => pictures.delete(path));
  if (pictures.size > MOST) drop(pictures.keys().next().value as string);
  return address;
}

function drop(path: string) {
  const address = pictures.get(path);
  pictures.delete(path);
  address?.then(URL.revokeObjectURL, () => {});
}

/** Drops every picture: after somebody was forgotten, and at sign-out. */
export function forgetPictures() {
  for (const path of [...pictures.keys()]) drop(path);
}

/** An address of a file of this computer, for as long as it is shown. */
export function useFile(file: File): string | null {
  const [address, setAddress] = useState<string | null>(null);
  useEffect(() => {
    const made = URL.createObjectURL(file);
    setAddress(made);
    return () => URL.revokeObjectURL(made);
  }, [file]);
  return address;
}
