//! All projects: how many runs, when one was last heard of; or, before the first, how to make one.
import { useMemo, useRef, useState } from "react";
import { Link } from "wouter";
import type { Project } from "../gen/corral/v1/query_pb.js";
import { agoText, countText, exactTime, plural } from "../format.js";
import { useLate, useLive, useNow, useTitle } from "../hooks.js";
import { matches } from "../metric.js";
import { Find } from "../parts/controls.js";
import { Dot } from "../parts/dot.js";
import { Empty, Waiting } from "../parts/empty.js";
import { Lines } from "../parts/lines.js";
import { Top } from "../parts/top.js";
import { projectPath } from "../paths.js";
import { LIST_COUNT_MAX, projectsQuery } from "../queries.js";
import { base } from "../env.js";
import css from "./projects.module.css";

const LIVE_WITHIN_US = 60e6;
const DEFAULT_SERVER = "http://127.0.0.1:4870/";

const firstLines = (project: string): string => `import corral
run = corral.init(project=${JSON.stringify(project)}, config={"lr": 1e-3})
run.log({"loss": 0.5})`;

export function FirstRun({ title, project = "digits" }: { title: string; project?: string }) {
  return (
    <Empty title={title}>
      <p>Three lines in a program make one, and this page shows it as it happens.</p>
      <Lines text={firstLines(project)} label="the three lines" />
      {base.href !== DEFAULT_SERVER && <p>Tell the program where this server is: <code>CORRAL_URL={base.href.replace(/\/$/, "")}</code></p>}
    </Empty>
  );
}

/** By last activity, as it was when the page was opened: a list that sorts itself would move under the hand. */
function useStill(projects: readonly Project[] | undefined): Project[] {
  const order = useRef<string[]>([]);
  return useMemo(() => {
    const byId = new Map((projects ?? []).map((p) => [p.id, p]));
    const kept = order.current.filter((id) => byId.has(id));
    const fresh = [...byId.values()].filter((p) => !kept.includes(p.id)).sort((a, b) => Number(b.lastActiveUs - a.lastActiveUs));
    order.current = [...kept, ...fresh.map((p) => p.id)];
    return order.current.map((id) => byId.get(id)!);
  }, [projects]);
}

function Row({ project, now }: { project: Project; now: number }) {
  const active = Number(project.lastActiveUs);
  const live = now - active < LIVE_WITHIN_US;
  return (
    <tr>
      <td><Link href={projectPath(project)} className={css.name}><Dot live={live} /><span>{project.name}</span></Link></td>
      <td className={css.n}>{countText(project.runs)}</td>
      <td title={exactTime(active)}>{live ? <span className={css.live}>live</span> : agoText(active, now)}</td>
      <td className={css.minor} title={exactTime(Number(project.createdUs))}>{agoText(Number(project.createdUs), now)}</td>
      <td className={css.minor}>{project.actor}</td>
    </tr>
  );
}

export function ProjectsPage() {
  const { value, error } = useLive("projects", projectsQuery);
  const [search, setSearch] = useState("");
  const now = useNow(5_000);
  const projects = useStill(value?.projects);
  const late = useLate(!value && !error);
  useTitle("Projects");
  const shown = search === "" ? projects : projects.filter((p) => matches(p.name, search));
  return (
    <>
      <Top title="Projects" end={projects.length > 0 ? <Find label="Find a project" hotkey="/" value={search} onChange={setSearch} className={css.find} /> : undefined} />
      <div className={css.page}>
        {error && <Empty title="Projects cannot be read" role="alert"><p>{error.message}</p></Empty>}
        {!value && late && <Waiting />}
        {value && projects.length === 0 && <FirstRun title="No project yet" />}
        {shown.length > 0 && (
          <table className={css.table}>
            <thead><tr><th scope="col">Project</th><th scope="col" className={css.n}>Runs</th><th scope="col">Last active</th><th scope="col" className={css.minor}>Created</th><th scope="col" className={css.minor}>By</th></tr></thead>
            <tbody>{shown.map((project) => <Row key={project.id} project={project} now={now} />)}</tbody>
          </table>
        )}
        {projects.length > 0 && <p className={css.foot}>{shown.length === projects.length ? plural(projects.length, "project") : `${shown.length} of ${plural(projects.length, "project")}`}{projects.length >= LIST_COUNT_MAX ? `, the first ${countText(LIST_COUNT_MAX)}` : ""}</p>}
      </div>
    </>
  );
}
