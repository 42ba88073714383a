//! The Python side (hand.py) as functions: each line asked is answered by one line, in order.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ANSWER_MS_MAX = 60_000;

export class Hand {
  constructor() {
    this.waiting = [];
    this.child = spawn(process.env.CORRAL_TEST_PYTHON ?? "python3", [fileURLToPath(new URL("../hand.py", import.meta.url))], { stdio: ["pipe", "pipe", process.env.CORRAL_TEST_QUIET ? "ignore" : "inherit"] });
    createInterface({ input: this.child.stdout }).on("line", (line) => this.waiting.shift()?.(JSON.parse(line)));
    this.gone = new Promise((resolve) => this.child.on("exit", resolve));
    this.gone.then(() => this.waiting.splice(0).forEach((answer) => answer({ error: "hand.py has ended" })));
  }

  ask(what, args = {}) {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`hand: ${what} has not been answered in ${ANSWER_MS_MAX} ms`)), ANSWER_MS_MAX);
      this.waiting.push(({ ok, error }) => {
        clearTimeout(late);
        if (error) reject(new Error(`hand: ${what}: ${error}`));
        else resolve(ok);
      });
      this.child.stdin.write(`${JSON.stringify({ do: what, ...args })}\n`);
    });
  }

  start = () => this.ask("start");
  kill = () => this.ask("kill");
  freeze = () => this.ask("freeze");
  thaw = () => this.ask("thaw");
  link = () => this.ask("link");
  /** `config` is JSON text. */
  open = (run, what = {}) => this.ask("open", { run, ...what });
  /** `literal` is JSON text as Python reads it. */
  log = (run, literal, step) => this.ask("log", { run, literal, step });
  define = (run, metric, stepMetric) => this.ask("define", { run, metric, step_metric: stepMetric });
  ramp = (run, metric, start, count, spikes) => this.ask("ramp", { run, metric, start, count, spikes });
  finish = (run) => this.ask("finish", { run });

  async end() {
    this.child.stdin.end();
    await this.gone;
  }
}
