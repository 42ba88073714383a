//! Metrics as a page arranges them: sections by prefix, the ones that people look at first on top, and nothing moves when one is added.

export interface MetricName {
  name: string;
  hint?: string | undefined;
}

export interface Section {
  name: string;
  metrics: readonly MetricName[];
}

/** Metrics without a prefix. */
const BARE = "metrics";

/** Earlier groups of words come first; what none names is between training and the machine. */
const FIRST: readonly RegExp[] = [/^(val|valid|validation|eval|test|dev)\b/i, /^(train|training)\b/i];
const LAST = /^(sys|system|gpu|cpu|mem|memory|speed|perf|time|timer|throughput|hardware)\b/i;

export const prefixOf = (metric: string): string => {
  const slash = metric.indexOf("/");
  return slash > 0 ? metric.slice(0, slash) : BARE;
};

function rank(section: string): number {
  const at = FIRST.findIndex((words) => words.test(section));
  return at >= 0 ? at : section === BARE ? FIRST.length : LAST.test(section) ? FIRST.length + 2 : FIRST.length + 1;
}

const order = new Intl.Collator("en", { numeric: true });
export const byName = (a: string, b: string): number => order.compare(a, b) || (a < b ? -1 : Number(a > b));

/**
 * `before`: names in the order in which they stand already. They stay where they are; those that came since are added at the end
 * of their section, new sections at the end.
 */
export function arranged(names: Iterable<string>, before: readonly string[]): string[] {
  const wanted = new Set(names);
  const kept = before.filter((name) => wanted.delete(name));
  const fresh = [...wanted].sort((a, b) => rank(prefixOf(a)) - rank(prefixOf(b)) || byName(prefixOf(a), prefixOf(b)) || byName(a, b));
  return [...kept, ...fresh];
}

export function sectionsOf(metrics: readonly MetricName[]): Section[] {
  const sections = new Map<string, MetricName[]>();
  for (const metric of metrics) {
    const prefix = prefixOf(metric.name);
    const list = sections.get(prefix);
    if (list) list.push(metric);
    else sections.set(prefix, [metric]);
  }
  return [...sections].map(([name, list]) => ({ name, metrics: list }));
}

/** Whether a name holds each word of a search, in any order and case. */
export function matches(name: string, search: string): boolean {
  const lower = name.toLowerCase();
  return search.toLowerCase().split(/\s+/).every((word) => lower.includes(word));
}
