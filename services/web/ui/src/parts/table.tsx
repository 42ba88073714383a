//! A panel's chart as a table: a column for each line, as many rows as are in view. Escape goes back to the chart.
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef } from "react";
import { exactText } from "../format.js";
import type { PanelLine } from "../lines.js";
import type { View } from "../plot/scene.js";
import { tableCell, tableRows } from "../tables.js";
import { axisName, placeName } from "../xtext.js";
import { Swatch } from "./swatch.js";
import css from "./table.module.css";

const ROW_PX = 24;

interface Props {
  metric: string;
  lines: readonly PanelLine[];
  view: View;
  onBack: () => void;
}

export function Table({ metric, lines, view, onBack }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const rows = useMemo(() => tableRows(lines, [view.xMin, view.xMax]), [lines, view.xMin, view.xMax]);
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => ROW_PX, overscan: 8 });
  useEffect(() => scroller.current?.focus({ preventScroll: true }), []);
  const items = virtual.getVirtualItems();
  const above = items[0]?.start ?? 0;
  const below = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  return (
    <div
      ref={scroller} className={css.scroller} tabIndex={0} role="region" aria-label={`${metric} as a table`}
      onKeyDown={(e) => {
        if (e.key !== "Escape") return;
        // Not the dialog's, which would close around it.
        e.preventDefault();
        e.stopPropagation();
        onBack();
      }}
    >
      <table className={css.table} aria-rowcount={rows.length + 1}>
        <thead>
          <tr aria-rowindex={1}>
            <th scope="col">{axisName(view.xKind, view.xName ?? "")}</th>
            {lines.map((line, k) => <th key={k} scope="col" title={line.name}><Swatch color={line.color} dash={line.dash} /><span>{line.name}</span></th>)}
          </tr>
        </thead>
        <tbody>
          {above > 0 && <tr aria-hidden="true"><td style={{ height: above }} colSpan={lines.length + 1} /></tr>}
          {items.map(({ index }) => {
            const row = rows[index];
            if (!row) return null;
            return (
              <tr key={`${row.x} ${row.width}`} aria-rowindex={index + 2}>
                <th scope="row" title={exactText(row.x)}>{placeName(view.xKind, row.x, row.width)}</th>
                {lines.map((line, k) => {
                  const { text, title } = tableCell(line, row.at[k]!);
                  return <td key={k} title={title}>{text}</td>;
                })}
              </tr>
            );
          })}
          {below > 0 && <tr aria-hidden="true"><td style={{ height: below }} colSpan={lines.length + 1} /></tr>}
        </tbody>
      </table>
    </div>
  );
}
