//! The page's own addresses.

/** Names that stand in an address as they are; anything else is spelled by its id. */
const PLAIN = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;

export const projectPath = ({ id, name }: { id: string; name: string }): string => `/p/${PLAIN.test(name) ? name : id}`;

/** `project`: how the address of the page that one comes from spells it; undefined: the run's own address. */
export const runPath = (runId: string, project?: string): string => (project === undefined ? `/r/${encodeURIComponent(runId)}` : `/p/${encodeURIComponent(project)}/r/${encodeURIComponent(runId)}`);
