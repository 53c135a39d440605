"use client";

import { useCallback, useEffect, useEffectEvent, useState } from "react";
import type { Page } from "./types";

export interface Loaded<T> {
  data: T | undefined;
  error: Error | undefined;
  loading: boolean;
  /** Asks again, showing what is there until the answer comes. */
  reload: () => void;
  setData: (next: (now: T) => T) => void;
}

const asError = (error: unknown) => (error instanceof Error ? error : new Error(String(error)));

/** What `load` gives, asked for again whenever `name` changes. The last answer stays until the next one comes; the answer to an
 * older question is dropped. */
export function useLoad<T>(name: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const [state, setState] = useState<{ data?: T; error?: Error; loading: boolean }>({ loading: true });
  const [turn, setTurn] = useState(0);
  const run = useEffectEvent(load);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new turn is a wish to ask again.
  useEffect(() => {
    const stop = new AbortController();
    setState(({ data }) => (data === undefined ? { loading: true } : { data, loading: true }));
    run(stop.signal).then(
      (data) => stop.signal.aborted || setState({ data, loading: false }),
      (error) => stop.signal.aborted || setState((now) => ({ ...now, error: asError(error), loading: false })),
    );
    return () => stop.abort();
  }, [name, turn]);
  const reload = useCallback(() => setTurn((now) => now + 1), []);
  const setData = useCallback((next: (now: T) => T) => {
    setState((now) => (now.data === undefined ? now : { ...now, data: next(now.data) }));
  }, []);
  return { data: state.data, error: state.error, loading: state.loading, reload, setData };
}

export interface Pages<T> extends Omit<Loaded<T[]>, "setData"> {
  more: (() => void) | null;
  /** Changes what is shown, not what is stored. */
  setItems: (next: (now: T[]) => T[]) => void;
}

/** A list that comes in pages. */
export function usePages<T>(
  name: string,
  load: (cursor: string | null, signal: AbortSignal) => Promise<Page<T>>,
): Pages<T> {
  const first = useLoad(name, (signal) => load(null, signal));
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<Error>();
  const { setData } = first;
  const next = first.data?.next ?? null;
  const more = async () => {
    setBusy(true);
    setFailed(undefined);
    try {
      const page = await load(next, new AbortController().signal);
      // Only if the list is still the one that was asked about.
      setData((now) => (now.next === next ? { items: [...now.items, ...page.items], next: page.next } : now));
    } catch (error) {
      setFailed(asError(error));
    } finally {
      setBusy(false);
    }
  };
  const setItems = useCallback(
    (change: (now: T[]) => T[]) => setData((now) => ({ ...now, items: change(now.items) })),
    [setData],
  );
  return {
    data: first.data?.items,
    error: failed ?? first.error,
    loading: first.loading || busy,
    reload: first.reload,
    more: next === null || busy ? null : more,
    setItems,
  };
}
