//! Which page an address means, and what stands in its place: signing in, or what went wrong.
import { Route, Router, Switch } from "wouter";
import { basePath } from "../env.js";
import { useStatus } from "../hooks.js";
import { Login } from "../pages/login.js";
import { Lost } from "../pages/lost.js";
import { ProjectPage } from "../pages/project.js";
import { ProjectsPage } from "../pages/projects.js";
import { RunPage } from "../pages/run.js";
import { Boundary } from "./boundary.js";
import { Shell } from "./shell.js";

function Pages() {
  const connection = useStatus("connection");
  // In place: whoever signs in again is where they were.
  if (connection === "signed-out") return <Login />;
  return (
    <Shell>
      <Switch>
        <Route path="/"><ProjectsPage /></Route>
        <Route path="/p/:project">{({ project }) => <ProjectPage key={project} project={project} />}</Route>
        <Route path="/p/:project/r/:run">{({ project, run }) => <RunPage key={run} project={project} runId={run} />}</Route>
        <Route path="/r/:run">{({ run }) => <RunPage key={run} runId={run} />}</Route>
        <Route><Lost what="page" /></Route>
      </Switch>
    </Shell>
  );
}

export function App() {
  return (
    <Boundary>
      <Router base={basePath}>
        <Switch>
          <Route path="/login"><Login link /></Route>
          <Route><Pages /></Route>
        </Switch>
      </Router>
    </Boundary>
  );
}
