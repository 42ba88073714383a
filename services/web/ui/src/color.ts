//! A run's colour: of twelve, by its id, and told apart from those of the runs beside it as long as there are enough.

export const COLORS = 12;

/** FNV-1a: the same everywhere, for ever. */
export function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

/**
 * The colour (1 to 12) of each run. The oldest gets the one of its hash, a younger one the next that fewest older ones have: so a
 * run that arrives changes nobody's colour, and twelve runs have twelve.
 */
export function colorsOf(runs: readonly { id: string; createdUs: bigint }[]): Map<string, number> {
  const oldest = [...runs].sort((a, b) => (a.createdUs < b.createdUs ? -1 : a.createdUs > b.createdUs ? 1 : a.id < b.id ? -1 : 1));
  const used = new Array<number>(COLORS).fill(0);
  const colors = new Map<string, number>();
  for (const { id } of oldest) {
    const first = hash(id) % COLORS;
    let best = first;
    for (let k = 0; k < COLORS; k++) {
      const at = (first + k) % COLORS;
      if (used[at]! < used[best]!) best = at;
    }
    used[best]!++;
    colors.set(id, best + 1);
  }
  return colors;
}
