//! How components look at what lives outside of React: the live store, the hover, the clock, keys.
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { store } from "./env.js";
import { queryKey, type Snapshot, type Status } from "./live/store.js";
import type { Query } from "./live/session.js";
import type { Value } from "./live/merge.js";
import { engine, type Hover } from "./plot/engine.js";

type Kind<K extends Value["kind"]> = Extract<Value, { kind: K }>;
const nothing = () => () => undefined;
const NO_SNAPSHOT: Snapshot = { value: undefined, error: undefined, completeThroughUs: 0, staleSinceUs: undefined };

/** The living answer of a query; null: no query. */
export function useLive<K extends Value["kind"]>(kind: K, query: Query | null): Snapshot<Kind<K>> {
  const key = query === null ? "" : queryKey(query);
  // The key stands for the query: an equal one made anew must not subscribe again.
  const held = useRef(query);
  held.current = query;
  const watch = useCallback((changed: () => void) => (held.current === null ? nothing() : store.watch(key, held.current, changed)), [key]);
  const snapshot = useSyncExternalStore(watch, () => (key === "" ? NO_SNAPSHOT : store.read(key)));
  return (snapshot.value === undefined || snapshot.value.kind === kind ? snapshot : NO_SNAPSHOT) as Snapshot<Kind<K>>;
}

/** The last snapshot that had a value: what was there stays until its successor comes (cached buckets first, then the finer ones). */
export function useHeld<S extends Snapshot>(snapshot: S, about: string): S {
  const last = useRef<{ about: string; snapshot: S }>({ about, snapshot });
  if (snapshot.value !== undefined || snapshot.error || last.current.about !== about) last.current = { about, snapshot };
  return last.current.snapshot;
}

/** One fact about the session: heard of only when it is another, while the whole status changes with each answer. */
export function useStatus<K extends keyof Status>(key: K): Status[K] {
  return useSyncExternalStore((c) => store.watchStatus(c), () => store.readStatus()[key]);
}

export function useHover(): Hover {
  return useSyncExternalStore((c) => engine.watchHover(c), () => engine.readHover());
}

/** The run that is pointed at, wherever: heard of only when it is another. */
export function useHoverRun(): string | null {
  return useSyncExternalStore((c) => engine.watchHover(c), () => engine.readHover().runId);
}

/** The server's time, again each so many milliseconds: for durations and ages. Asks nobody. */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(() => store.nowUs());
  useEffect(() => {
    const timer = setInterval(() => setNow(store.nowUs()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

/** A single key's verb, except while somebody types or holds a modifier. */
export function useKeys(keys: Readonly<Record<string, () => void>>): void {
  const held = useRef(keys);
  held.current = keys;
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey || target.closest("input, select, textarea, dialog[open], [contenteditable]")) return;
      const verb = held.current[event.key];
      if (!verb) return;
      event.preventDefault();
      verb();
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  }, []);
}

export function useTitle(...parts: (string | undefined)[]): void {
  const title = [...parts.filter((part) => part !== undefined && part !== ""), "Corral"].join(" · ");
  useEffect(() => {
    document.title = title;
  }, [title]);
}

/** True once `waiting` has lasted long enough to say so: what comes at once shows no skeleton that flashes by. */
export function useLate(waiting: boolean, afterMs = 150): boolean {
  const [late, setLate] = useState(false);
  useEffect(() => {
    if (!waiting) return setLate(false);
    const timer = setTimeout(() => setLate(true), afterMs);
    return () => clearTimeout(timer);
  }, [waiting, afterMs]);
  return waiting && late;
}

/** Width and height of an element, and whether it is near what is in view. */
export function useBox<E extends HTMLElement>(): [(element: E | null) => void, { width: number; height: number; near: boolean }] {
  const [box, setBox] = useState({ width: 0, height: 0, near: false });
  const clean = useRef<() => void>(() => undefined);
  const ref = useCallback((element: E | null) => {
    clean.current();
    clean.current = () => undefined;
    if (!element) return;
    const size = new ResizeObserver(([entry]) => {
      const { width, height } = entry!.contentRect;
      setBox((b) => (b.width === Math.round(width) && b.height === Math.round(height) ? b : { ...b, width: Math.round(width), height: Math.round(height) }));
    });
    const sight = new IntersectionObserver(([entry]) => setBox((b) => (b.near === entry!.isIntersecting ? b : { ...b, near: entry!.isIntersecting })), { rootMargin: "400px" });
    size.observe(element);
    sight.observe(element);
    clean.current = () => {
      size.disconnect();
      sight.disconnect();
    };
  }, []);
  return [ref, box];
}
