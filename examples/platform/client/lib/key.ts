import { createStore, useStore } from "./store";

/** `undefined` until the browser's storage was read, `null` when nobody is signed in. */
type Key = string | null | undefined;

const NAME = "facerec.key";
const key = createStore<Key>(undefined);

/** Why the last key was put away, to tell on the sign-in page. */
export const signedOut = createStore<string | null>(null);

function load(): string | null {
  const now = key.get();
  if (now !== undefined) return now;
  let stored: string | null = null;
  try {
    stored = sessionStorage.getItem(NAME);
  } catch {
    // Storage is switched off: the key then lasts until the page is left.
  }
  key.set(stored);
  return stored;
}

export function currentKey(): string | null {
  return load();
}

/** Keeps the key for this tab only: session storage is gone when the tab is closed. */
export function signIn(value: string) {
  try {
    sessionStorage.setItem(NAME, value);
  } catch {
    // As above.
  }
  signedOut.set(null);
  key.set(value);
}

export function signOut(why: string | null = null) {
  try {
    sessionStorage.removeItem(NAME);
  } catch {
    // As above.
  }
  signedOut.set(why);
  key.set(null);
}

export function useKey(): Key {
  return useStore(key, undefined);
}

/** Reads the storage once the page runs in a browser. */
export function readKey() {
  load();
}
