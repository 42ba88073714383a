//! Lines to copy: what an empty page teaches with.
import { useState } from "react";
import css from "./lines.module.css";

const SAID_MS = 1_500;

export function Lines({ text, label }: { text: string; label: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), SAID_MS);
  };
  return (
    <div className={css.lines}>
      <pre tabIndex={0} aria-label={label}>{text}</pre>
      {/* Only where there is a clipboard: a page over plain HTTP from another machine has none. */}
      {"clipboard" in navigator && (
        <button type="button" onClick={() => void copy()} aria-label={`Copy ${label}`}>{copied ? "Copied" : "Copy"}</button>
      )}
    </div>
  );
}
