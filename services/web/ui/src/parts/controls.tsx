//! How charts are looked at: smoothing, x axis, logarithmic panels, panels a row, what is searched, the way back from a zoom.
import { type KeyboardEvent, type RefObject, useEffect, useRef, useState } from "react";
import { useView } from "../address.js";
import { useKeys } from "../hooks.js";
import { isSmoothing, SMOOTHING_KINDS, type Smoothing, type SmoothingKind } from "../smooth.js";
import { ALL_LOG, toggleLog, withKind } from "../viewstate.js";
import type { MetricName } from "../metric.js";
import { byMetric, chosenAxis, type XChoice } from "../xaxis.js";
import { X_NAMES } from "../xtext.js";
import common from "./common.module.css";
import css from "./controls.module.css";

const AXES = ["auto", "step", "relative", "time"] as const satisfies readonly XChoice[];
const AXIS_NAMES: Readonly<Record<(typeof AXES)[number], string>> = { auto: "as defined", ...X_NAMES };
/** More would be no list to choose from; a metric beyond them is named in the address (`x=metric:NAME`). */
const METRICS_MAX = 200;

function smoothingText({ kind, amount }: Smoothing): string {
  if (!isSmoothing({ kind, amount })) return "Smoothing off";
  return kind === "twema" ? `Smoothing ${amount}` : `${SMOOTHING_KINDS.find((k) => k.kind === kind)!.name} ${amount}`;
}

/** Closes when the hand goes elsewhere. */
function useOutside(box: RefObject<HTMLElement | null>, open: boolean, close: () => void) {
  useEffect(() => {
    if (!open) return;
    const listen = (e: PointerEvent) => !box.current?.contains(e.target as Node) && close();
    addEventListener("pointerdown", listen);
    return () => removeEventListener("pointerdown", listen);
  }, [box, open, close]);
}

function SmoothingControl() {
  const [{ smoothing }, change] = useView();
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const close = useRef(() => setOpen(false)).current;
  useOutside(box, open, close);
  useKeys({ s: () => setOpen(true) });
  const kind = SMOOTHING_KINDS.find((k) => k.kind === smoothing.kind)!;
  const escape = (e: KeyboardEvent) => {
    if (e.key !== "Escape") return;
    setOpen(false);
    button.current?.focus();
  };
  return (
    <div ref={box} className={css.wrap} onKeyDown={escape}>
      <button ref={button} type="button" className={common.tab} aria-expanded={open} aria-haspopup="dialog" onClick={() => setOpen(!open)}>{smoothingText(smoothing)}</button>
      {open && (
        <div className={css.pop} role="dialog" aria-label="Smoothing">
          <label className={css.slider}>
            <span>Amount</span>
            <input type="range" autoFocus min={0} max={kind.max} step={kind.step} value={smoothing.amount} disabled={kind.max === 0} onChange={(e) => change({ smoothing: { kind: kind.kind, amount: Number(e.target.value) } })} />
            <output>{kind.max === 0 ? "–" : smoothing.amount}</output>
          </label>
          <fieldset className={css.kinds}>
            <legend>Formula</legend>
            {SMOOTHING_KINDS.map((k) => (
              <label key={k.kind}>
                <input type="radio" name="smoother" value={k.kind} checked={k.kind === smoothing.kind} onChange={() => change({ smoothing: withKind(k.kind as SmoothingKind, smoothing) })} />
                <span>{k.name}</span><small>{k.hint}</small>
              </label>
            ))}
          </fieldset>
        </div>
      )}
    </div>
  );
}

function AxisControl({ metrics }: { metrics: readonly MetricName[] }) {
  const [{ x }, change] = useView();
  const metric = chosenAxis(x)?.metric || undefined;
  const names = metrics.slice(0, METRICS_MAX).map((m) => m.name);
  if (metric !== undefined && !names.includes(metric)) names.unshift(metric);
  return (
    <span className={common.pick}>
      <select aria-label="x axis" value={x} onChange={(e) => change({ x: e.target.value as XChoice, zoom: null, zoomed: "" })}>
        {AXES.map((axis) => <option key={axis} value={axis}>x: {AXIS_NAMES[axis]}</option>)}
        {names.length > 0 && <optgroup label="a metric's value">{names.map((name) => <option key={name} value={byMetric(name)}>x: {name}</option>)}</optgroup>}
      </select>
    </span>
  );
}

export function Controls({ metrics }: { metrics: readonly MetricName[] }) {
  const [view, change] = useView();
  const nextAxis = () => change({ x: AXES[((AXES as readonly XChoice[]).indexOf(view.x) + 1) % AXES.length]!, zoom: null, zoomed: "" });
  const allLog = () => change({ log: toggleLog(view, ALL_LOG) });
  const reset = () => change({ zoom: null, zoomed: "" });
  useKeys({ t: nextAxis, l: allLog, r: reset });
  return (
    <>
      {view.zoom && <button type="button" className={common.tab} onClick={reset}>Reset zoom</button>}
      <SmoothingControl />
      <AxisControl metrics={metrics} />
      <button type="button" className={common.tab} aria-pressed={view.log.includes(ALL_LOG)} onClick={allLog}>log y</button>
      <span className={`${common.pick} ${css.wide}`}>
        <select aria-label="Panels a row" value={view.perRow} onChange={(e) => change({ perRow: Number(e.target.value) })}>
          {[1, 2, 3, 4].map((n) => <option key={n} value={n}>{n} per row</option>)}
        </select>
      </span>
    </>
  );
}

/** A search that a key leads to; Escape empties it, and leaves it when it is empty. */
export function Find({ label, hotkey, value, onChange, className }: { label: string; hotkey: string; value: string; onChange: (text: string) => void; className?: string | undefined }) {
  const input = useRef<HTMLInputElement>(null);
  useKeys({ [hotkey]: () => input.current?.focus() });
  const key = (e: KeyboardEvent) => {
    if (e.key !== "Escape") return;
    e.preventDefault();
    if (value === "") input.current?.blur();
    else onChange("");
  };
  return <input ref={input} type="search" className={`${common.find} ${className ?? ""}`} placeholder={label} aria-label={label} aria-keyshortcuts={hotkey} value={value} onChange={(e) => onChange(e.target.value)} onKeyDown={key} />;
}
