//! The view in the address: shown at once, written a moment later, since browsers bound how often an address may change.
import { useCallback, useSyncExternalStore } from "react";
import { readView, type ViewState, writeView } from "./viewstate.js";

const WRITE_AFTER_MS = 250;

/** What has been changed and is not written yet, and on which page that was. */
let pending: { path: string; view: ViewState } | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;
let read: { search: string; view: ViewState } = { search: "", view: readView("") };
const watchers = new Set<() => void>();

/** The view as it is now. */
export function viewNow(): ViewState {
  if (pending?.path === location.pathname) return pending.view;
  // One object for one address: whoever compares sees that nothing changed.
  if (read.search !== location.search) read = { search: location.search, view: readView(location.search) };
  return read.view;
}

function write(): void {
  clearTimeout(timer);
  const done = pending;
  pending = undefined;
  if (done?.path !== location.pathname) return;
  const text = writeView(done.view);
  const search = text === "" ? "" : `?${text}`;
  read = { search, view: done.view };
  if (search !== location.search) history.replaceState(history.state, "", `${location.pathname}${search}`);
}

export function changeView(change: Partial<ViewState>): void {
  pending = { path: location.pathname, view: { ...viewNow(), ...change } };
  clearTimeout(timer);
  timer = setTimeout(write, WRITE_AFTER_MS);
  for (const changed of watchers) changed();
}

function watch(changed: () => void): () => void {
  watchers.add(changed);
  // The router makes events of the two calls that change an address silently.
  const events = ["popstate", "pushState", "replaceState"];
  for (const event of events) addEventListener(event, changed);
  return () => {
    watchers.delete(changed);
    for (const event of events) removeEventListener(event, changed);
  };
}

addEventListener("pagehide", write);

export function useView(): [ViewState, (change: Partial<ViewState>) => void] {
  return [useSyncExternalStore(watch, viewNow), useCallback(changeView, [])];
}
