//! A run's colour: of twelve, by its id, and told apart from those of the runs beside it as long as there are enough.

export const COLORS = 12;

/** Colour is never alone: runs that share one are told apart by the dashes of their lines. The oldest of a colour is solid. */
export const DASHES: readonly (readonly number[])[] = [[], [6, 3], [2, 3], [8, 3, 2, 3]];

/** FNV-1a: the same everywhere, for ever. */
export function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

/** Of a run's number (from 1): the colour (1 to 12), and the dashes of its line. */
export const colorNumber = (number: number): number => ((number - 1) % COLORS) + 1;
export const dashOf = (number: number): readonly number[] => DASHES[Math.floor((number - 1) / COLORS) % DASHES.length]!;

/**
 * The number of each run, which says its colour (the first twelve), and its dashes once colours are shared. The oldest gets the one of its hash, a younger one the next that fewest older ones have: so a
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
    colors.set(id, used[best]! * COLORS + best + 1);
    used[best]!++;
  }
  return colors;
}
