//! A project's runs: a virtual grid beside the charts. Rows that are pointed at light up their lines, and the other way round.
import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useMemo, useRef } from "react";
import { Link } from "wouter";
import { agoText, configText, dropLeadingZeros, exactTime, numberText, typedShort, typedText } from "../format.js";
import type { Run } from "../gen/corral/v1/query_pb.js";
import { useHoverRun, useKeys } from "../hooks.js";
import { engine } from "../plot/engine.js";
import { type Column, columnId } from "../project.js";
import { type Drawn, isDrawn } from "../viewstate.js";
import { State } from "./state.js";
import css from "./runlist.module.css";

const ROW_PX = 32;
const FIGURE_LENGTH_MAX = 8;
/** Characters of a key that a column has room for. */
const LABEL_LENGTH_MAX = 10;

export interface RunListProps {
  runs: readonly Run[];
  columns: readonly Column[];
  order: string;
  colors: ReadonlyMap<string, string>;
  drawn: Drawn;
  /** The run that stays pointed out. */
  selected: string | null;
  nowUs: number;
  hrefOf: (run: Run) => string;
  onOrder: (order: string) => void;
  onToggle: (id: string, alone: boolean) => void;
  onToggleAll: () => void;
  onSelect: (id: string | null) => void;
  onScroll: (atTop: boolean) => void;
}

interface Cell {
  text: string;
  exact: string;
}

function cellOf(run: Run, { kind, key }: Column): Cell {
  if (kind === "summary") {
    const value = run.summary.find((f) => f.key === key)?.value;
    return value ? { text: typedShort(value), exact: typedText(value) } : { text: "–", exact: "" };
  }
  const json = run.config.find((f) => f.path.join(".") === key)?.json;
  if (json === undefined) return { text: "–", exact: "" };
  const exact = configText(json);
  // A fraction that binary made long is told in a few digits; an integer never.
  const rounds = exact.length > FIGURE_LENGTH_MAX && /^-?\d*\.\d/.test(exact) && Number.isFinite(Number(exact));
  return { text: rounds ? numberText(Number(exact)) : exact, exact };
}

/** Texts of each column by run; a leading zero is dropped only where a whole column can do without. */
function useCells(runs: readonly Run[], columns: readonly Column[]): Map<string, Cell[]> {
  return useMemo(() => {
    const cells = new Map<string, Cell[]>(runs.map((run) => [run.id, []]));
    for (const column of columns) {
      const of = runs.map((run) => cellOf(run, column));
      const texts = column.kind === "summary" ? dropLeadingZeros(of.map((c) => c.text)) : of.map((c) => c.text);
      runs.forEach((run, i) => cells.get(run.id)!.push({ text: texts[i]!, exact: of[i]!.exact }));
    }
    return cells;
  }, [runs, columns]);
}

/** In one unit: a column has no room for two. */
function startedText(us: number, nowUs: number): string {
  return agoText(us, nowUs).replace(/^(\d+ \S+) \d\d ago$/, "$1 ago");
}

function Head({ by, label, title, order, numeric, onOrder }: { by: string; label: string; title?: string; order: string; numeric?: boolean; onOrder: (order: string) => void }) {
  const sorted = order === by ? "ascending" : order === `-${by}` ? "descending" : "none";
  // Names and settings begin with the first, figures and times with the greatest.
  const first = by === "name" || by === "state" || by.startsWith("config:") ? by : `-${by}`;
  const next = sorted === "none" ? first : order.startsWith("-") ? by : `-${by}`;
  return (
    <div role="columnheader" aria-sort={sorted} className={numeric ? css.n : undefined}>
      <button type="button" onClick={() => onOrder(next)} title={`Sort by ${title ?? label}`}>
        <span>{label}</span>{sorted !== "none" && <i aria-hidden="true">{sorted === "ascending" ? "↑" : "↓"}</i>}
      </button>
    </div>
  );
}

interface RowProps {
  run: Run;
  index: number;
  cells: readonly Cell[];
  color: string;
  shown: boolean;
  pointed: boolean;
  selected: boolean;
  nowUs: number;
  href: string;
  onToggle: (id: string, alone: boolean) => void;
  onSelect: (id: string | null) => void;
}

const Row = memo(function Row({ run, index, cells, color, shown, pointed, selected, nowUs, href, onToggle, onSelect }: RowProps) {
  const name = run.name || run.id;
  const created = Number(run.createdUs);
  return (
    <div
      role="row" aria-rowindex={index + 2} aria-selected={selected} className={css.row} data-row={run.id} data-index={index} data-pointed={pointed} data-shown={shown}
      style={{ transform: `translateY(${index * ROW_PX}px)` }}
      onPointerEnter={() => engine.setHover({ runId: run.id })} onPointerLeave={() => engine.setHover({ runId: null })}
      onFocus={() => engine.setHover({ runId: run.id })} onBlur={() => engine.setHover({ runId: null })}
      onClick={(e) => (e.target as Element).closest("a, button") === null && onSelect(selected ? null : run.id)}
    >
      <div role="gridcell" className={css.run}>
        <button type="button" role="checkbox" aria-checked={shown} aria-label={`${name} in the charts`} title="Show or hide; with Alt: this one alone" className={css.swatch} onClick={(e) => onToggle(run.id, e.altKey)}>
          <i style={shown ? { background: color, borderColor: color } : { borderColor: color }} />
        </button>
        <Link href={href} className={css.name} title={name}>{name}</Link>
      </div>
      <div role="gridcell"><State run={run} nowUs={nowUs} /></div>
      <div role="gridcell" className={css.age} title={exactTime(created)}>{startedText(created, nowUs)}</div>
      {cells.map((cell, i) => <div key={i} role="gridcell" className={css.n} title={cell.exact}>{cell.text}</div>)}
    </div>
  );
});

const short = (key: string): string => key.slice(key.lastIndexOf(key.includes("/") ? "/" : ".") + 1);

/** Whole keys where all have room; else the last part of each, unless two columns would then read the same. */
function labelsOf(columns: readonly Column[]): string[] {
  const shorts = columns.map((c) => short(c.key));
  const room = columns.every((c) => c.key.length <= LABEL_LENGTH_MAX);
  return columns.map((c, i) => (room || shorts.filter((s) => s === shorts[i]).length > 1 ? c.key : shorts[i]!));
}

export function RunList(p: RunListProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({ count: p.runs.length, getScrollElement: () => scroller.current, estimateSize: () => ROW_PX, overscan: 12 });
  const cells = useCells(p.runs, p.columns);
  const labels = labelsOf(p.columns);
  const pointed = useHoverRun();
  const focused = (): number => Number(document.activeElement?.closest<HTMLElement>("[data-row]")?.dataset.index ?? -1);
  const go = (by: number) => {
    const from = focused();
    const to = Math.min(Math.max(from < 0 ? 0 : from + by, 0), p.runs.length - 1);
    virtual.scrollToIndex(to);
    requestAnimationFrame(() => scroller.current?.querySelector<HTMLElement>(`[data-index="${to}"] a`)?.focus());
  };
  const on = (verb: (run: Run) => void) => {
    const run = p.runs[focused()];
    if (run) verb(run);
  };
  useKeys({
    j: () => go(1), k: () => go(-1), a: p.onToggleAll,
    v: () => on((run) => p.onToggle(run.id, false)), x: () => on((run) => p.onSelect(p.selected === run.id ? null : run.id)),
  });
  const all = p.drawn.all && p.drawn.ids.length === 0;
  return (
    <div className={css.list} role="grid" aria-label="Runs" aria-rowcount={p.runs.length + 1} data-columns={p.columns.length}>
      <div role="rowgroup">
        <div role="row" className={css.head}>
          <div role="columnheader" className={css.run} aria-sort={p.order === "name" ? "ascending" : p.order === "-name" ? "descending" : "none"}>
            <button type="button" role="checkbox" aria-checked={all ? true : "mixed"} aria-label="All runs in the charts" className={css.swatch} onClick={p.onToggleAll}><i data-all={all} /></button>
            <button type="button" onClick={() => p.onOrder(p.order === "name" ? "-name" : "name")} title="Sort by name"><span>Run</span>{p.order.endsWith("name") && <i aria-hidden="true">{p.order === "name" ? "↑" : "↓"}</i>}</button>
          </div>
          <Head by="state" label="State" order={p.order} onOrder={p.onOrder} />
          <Head by="created" label="Started" title="start" order={p.order} onOrder={p.onOrder} />
          {p.columns.map((c, i) => <Head key={columnId(c)} by={columnId(c)} label={labels[i]!} title={c.key} order={p.order} numeric onOrder={p.onOrder} />)}
        </div>
      </div>
      <div ref={scroller} role="rowgroup" className={css.rows} onScroll={(e) => p.onScroll(e.currentTarget.scrollTop < 2)}>
        <div role="presentation" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map(({ index }) => {
            const run = p.runs[index];
            if (!run) return null;
            return (
              <Row
                key={run.id} run={run} index={index} cells={cells.get(run.id) ?? []} color={p.colors.get(run.id) ?? ""} shown={isDrawn(p.drawn, run.id)}
                pointed={pointed === run.id} selected={p.selected === run.id} nowUs={p.nowUs} href={p.hrefOf(run)} onToggle={p.onToggle} onSelect={p.onSelect}
              />
            );
          })}
        </div>
      </div>
    </div>
  );
}
