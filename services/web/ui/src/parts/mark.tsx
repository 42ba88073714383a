//! Corral's mark: three paths that meet a gate.

export function Mark({ size = 20 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 20 20" fill="none" stroke="var(--accent)" strokeWidth="1.8" strokeLinecap="round" aria-hidden="true">
      <path d="M2 4c5 0 6 6 11 6M2 10h11M2 16c5 0 6-6 11-6" />
      <path d="M16 4.5v11" strokeWidth="2.4" />
    </svg>
  );
}
