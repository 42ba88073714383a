//! Every key, in a dialog.
import { useEffect, useRef } from "react";
import css from "./help.module.css";

const KEYS: readonly (readonly [string, readonly (readonly [string, string])[]])[] = [
  ["Anywhere", [["?", "this list"], ["h", "all projects"], ["\\", "fold the rail"], ["/", "search runs, projects or config"], ["Esc", "leave a search, a panel, a menu"]]],
  ["Runs", [["j  k", "next, previous"], ["Enter", "open"], ["v", "show or hide in the charts"], ["x", "point out, or no longer"], ["a", "show all, or none"]]],
  ["Charts", [["f", "find a metric"], ["s", "smoothing"], ["l", "logarithmic, all panels"], ["t", "x axis: step, elapsed, clock"], ["r", "reset the zoom"], ["[  ]", "previous, next panel, when one fills the window"]]],
  ["On a chart", [["drag", "zoom to a range"], ["double click", "all of it again"], ["← →", "move the crosshair"], ["↑ ↓", "choose the run"], ["Enter", "open the chosen run"], ["Ctrl wheel", "zoom around the pointer"], ["Esc", "leave its table"]]],
];

export function Help({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
    dialog.current?.focus();
  }, []);
  return (
    <dialog ref={dialog} tabIndex={-1} className={css.help} aria-labelledby="help-title" onClose={onClose} onClick={(e) => e.target === dialog.current && dialog.current.close()}>
      <div className={css.sheet}>
        <header><h2 id="help-title">Keys</h2><button type="button" onClick={() => dialog.current?.close()}>Close</button></header>
        <div className={css.groups}>
          {KEYS.map(([group, keys]) => (
            <section key={group}>
              <h3>{group}</h3>
              <dl>{keys.map(([key, what]) => <div key={key}><dt>{key.split("  ").map((k) => <kbd key={k}>{k}</kbd>)}</dt><dd>{what}</dd></div>)}</dl>
            </section>
          ))}
        </div>
      </div>
    </dialog>
  );
}
