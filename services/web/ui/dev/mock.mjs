//! A pretended server for work on the page: the same frames, of invented runs that grow. `npm run gen && npm run mock`, then `npm run dev`.
//! MOCK_LISTEN (127.0.0.1:4870), MOCK_EMPTY=1 (no project yet). Nothing here is part of what is shipped.
import { createServer } from "node:http";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { WebSocketServer } from "ws";
import { GetRunResponseSchema, RunSchema, RunState } from "../src/gen/corral/v1/query_pb.js";
import { SessionRequestSchema, SessionResponseSchema } from "../src/gen/corral/v1/session_pb.js";

const [host, port] = (process.env.MOCK_LISTEN ?? "127.0.0.1:4870").split(":");
const nowUs = () => BigInt(Date.now()) * 1000n;
const STEP_MS = 200;
let offset = nowUs();

const SHAPES = {
  "train/loss": (t, k) => 2.3 * Math.exp(-t / (180 + 60 * k)) + 0.05 + 0.04 * wave(t, k),
  "train/accuracy": (t, k) => 0.98 - 0.85 * Math.exp(-t / (150 + 50 * k)) + 0.006 * wave(t, k + 3),
  "val/loss": (t, k) => 2.3 * Math.exp(-t / (200 + 70 * k)) + 0.12 + 0.02 * wave(t, k + 5),
  "val/accuracy": (t, k) => 0.97 - 0.87 * Math.exp(-t / (170 + 60 * k)) + 0.004 * wave(t, k + 9),
  "lr": (t) => (t < 60 ? (0.003 * t) / 60 : 0.0015 * (1 + Math.cos((Math.PI * (t - 60)) / 4000))),
  "grad/norm": (t, k) => (t === 777 ? 400 : t % 211 === 90 ? Infinity : t % 173 === 40 ? NaN : 3 * Math.exp(0.4 * wave(t, k + 7))),
  "throughput": (t, k) => 1800 + 90 * wave(t, k + 11),
};
const wave = (t, k) => Math.sin(t * 0.9 + k) * 0.5 + Math.sin(t * 2.3 + 2 * k) * 0.3 + Math.sin(t * 7.7 + k) * 0.4;

const projects = process.env.MOCK_EMPTY ? [] : [{ id: "0".repeat(31) + "1", name: "digits" }, { id: "0".repeat(31) + "2", name: "cifar10-resnet" }];
const runs = projects.length === 0 ? [] : Array.from({ length: 9 }, (_, k) => {
  const live = k < 3;
  const length = live ? 400 + 37 * k : 900 + 211 * k;
  const createdUs = nowUs() - BigInt(length * STEP_MS * 1000) - (live ? 0n : BigInt(k) * 3_600_000_000n);
  return { k, live, length, createdUs, id: `01JD0000000000000000000${String(k).padStart(3, "0")}`, name: ["amber-otter", "swift-owl-12", "<b>bold & \u202ebrash</b>", "quiet-heron", "brave-finch", "tidy-lynx", "calm-bison", "keen-wren", "late-crow"][k], failed: k === 5 };
});

function project({ id, name }) {
  const own = name === "digits" ? runs : [];
  return { id, name, createdUs: nowUs() - 86_400_000_000n, actor: "ada", runs: BigInt(own.length), lastActiveUs: own.length ? nowUs() : nowUs() - 7_200_000_000n };
}

function lastOf(run, metric) {
  return { kind: { case: "f64", value: SHAPES[metric](run.length - 1, run.k) } };
}

function runHead(run) {
  const state = run.live ? RunState.RUNNING : run.failed ? RunState.FAILED : RunState.FINISHED;
  const end = run.live ? nowUs() : run.createdUs + BigInt(run.length * STEP_MS * 1000);
  const names = Object.keys(SHAPES);
  return create(RunSchema, {
    id: run.id, projectId: projects[0].id, name: run.name, state, actor: "ada", tags: run.k % 2 ? ["baseline"] : [], createdUs: run.createdUs, lastAppendUs: end,
    finishedUs: run.live ? undefined : end, exitCode: run.live ? undefined : run.failed ? 1 : 0, message: run.failed ? "CUDA out of memory" : "", take: 1,
    maxStep: BigInt(run.length - 1), points: BigInt(run.length * names.length), metrics: names.length,
    summary: [...names.map((key) => ({ key, value: lastOf(run, key) })), { key: "seed", value: { kind: { case: "u64", value: 18446744073709551615n } } }],
    config: [["lr", String(0.001 * (run.k + 1))], ["optimizer.name", '"adamw"'], ["optimizer.betas", "[0.9,0.999]"], ["batch_size", "64"], ["seed", "9007199254740993"]].map(([path, json]) => ({ path: path.split("."), json })),
  });
}

function runWhole(run) {
  const metrics = Object.keys(SHAPES).map((name) => ({ name, count: BigInt(run.length), last: lastOf(run, name), lastStep: BigInt(run.length - 1), labels: [""] }));
  return create(GetRunResponseSchema, { run: runHead(run), metrics, writers: [{ writerId: "w".repeat(8), epoch: 1, actor: "ada", lastSeq: BigInt(run.length + 3), take: 1 }], meta: meta() });
}

const meta = () => ({ position: [{ partition: 0, offset }], completeThroughUs: nowUs() });

function xOf(run, t, axis) {
  if (axis === 0) return t;
  return t * STEP_MS * 1000 + (axis === 1 ? Number(run.createdUs) : 0);
}

function bytes(array) {
  return new Uint8Array(array.buffer);
}

/** Buckets of [from, length) by powers of two, as the server makes them; `from`: only those that points from there on touch. */
function buckets(run, metric, q, from) {
  const lo = q.xMin === undefined ? -Infinity : Number(q.xMin);
  const hi = q.xMax === undefined ? Infinity : Number(q.xMax);
  const seen = (t) => xOf(run, t, q.xAxis) >= lo && xOf(run, t, q.xAxis) <= hi;
  let [a, b] = [0, run.length - 1];
  while (a < b && !seen(a)) a++;
  while (b > a && !seen(b)) b--;
  let width = 1;
  while (Math.floor(xOf(run, b, q.xAxis) / width) - Math.floor(xOf(run, a, q.xAxis) / width) + 1 > q.buckets) width *= 2;
  const rows = new Map();
  const first = from > a ? Math.floor(xOf(run, from, q.xAxis) / width) : -Infinity;
  for (let t = a; t <= b; t++) {
    const index = Math.floor(xOf(run, t, q.xAxis) / width);
    if (!seen(t) || index < first) continue;
    const v = SHAPES[metric](t, run.k);
    const row = rows.get(index) ?? { index, count: 0, nan: 0, min: NaN, max: NaN, sum: 0, last: NaN, bad: 0 };
    rows.set(index, row);
    row.count++;
    if (!Number.isFinite(v) && row.bad === 0) row.bad = v;
    if (Number.isNaN(v)) row.nan++;
    else [row.min, row.max, row.sum, row.last] = [row.min <= v ? row.min : v, row.max >= v ? row.max : v, row.sum + v, v];
  }
  const list = [...rows.values()];
  const f64 = (pick) => bytes(Float64Array.from(list, pick));
  const u32 = (pick) => bytes(Uint32Array.from(list, pick));
  const value = {
    width: BigInt(width), index: bytes(BigInt64Array.from(list, (r) => BigInt(r.index))), count: u32((r) => r.count), min: f64((r) => r.min), max: f64((r) => r.max),
    mean: f64((r) => r.sum / (r.count - r.nan)), last: f64((r) => r.last), nanCount: u32((r) => r.nan), firstNonFinite: f64((r) => r.bad),
  };
  return { rows: list.length, width, columns: { case: "buckets", value } };
}

/** One subscription: answers whole at first, then what changed. */
class Subscription {
  constructor({ subscription, query }, send) {
    Object.assign(this, { id: subscription, query, send, widths: new Map(), from: new Map() });
    this.answer(true);
  }

  answer(whole) {
    const body = this[this.query.case]?.(this.query.value, whole);
    if (body === null) this.fail("NOT_FOUND", "run_id", "no such run or project");
    else if (body) this.send({ case: "answer", value: { subscription: this.id, whole: whole || this.refresh === true, body: { case: this.query.case, value: body } } });
    this.refresh = false;
  }

  fail(reason, field, message) {
    this.ended = true;
    this.send({ case: "failed", value: { subscription: this.id, code: 5, error: { reason, field }, message } });
  }

  projects(_, whole) {
    const list = whole ? projects : projects.filter((p) => p.name === "digits");
    return { projects: list.map(project), meta: meta() };
  }

  runs(q, whole) {
    const found = projects.find((p) => p.id === q.project || p.name === q.project);
    if (!found) return null;
    const own = found.name === "digits" ? runs.filter((r) => whole || r.live) : [];
    return { runs: own.map(runHead), total: BigInt(own.length), meta: meta() };
  }

  run(q, whole) {
    const run = runs.find((r) => r.id === q.runId);
    if (!run) return null;
    return whole || run.live ? runWhole(run) : undefined;
  }

  history(q, whole) {
    const series = [];
    for (const [i, id] of q.runIds.entries()) {
      const run = runs.find((r) => r.id === id);
      if (!run || (!whole && !run.live)) continue;
      for (const [j, metric] of q.metrics.entries()) {
        if (!SHAPES[metric]) continue;
        const ref = i * q.metrics.length + j;
        const made = buckets(run, metric, q, whole ? 0 : this.from.get(ref));
        if (!whole && made.width !== this.widths.get(ref)) {
          this.refresh = true;
          return this.history(q, true);
        }
        this.widths.set(ref, made.width);
        this.from.set(ref, run.length);
        series.push({ ref, rows: made.rows, columns: made.columns, ...(whole ? { runId: id, metric, take: 1 } : {}) });
      }
    }
    return whole || series.length ? { series, meta: meta() } : undefined;
  }
}

const server = createServer((request, response) => {
  const json = (status, body) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  if (request.method === "POST" && request.url === "/api/login") return json(200, { session_value: "mock", actor: "ada" });
  if (request.method === "POST" && request.url === "/api/logout") return json(200, {});
  if (request.method === "POST" && request.url?.startsWith("/api/")) return json(request.headers["x-corral-session"] ? 200 : 401, {});
  return json(404, { message: "the mock has no pages: npm run dev has" });
});

const living = new Set();
new WebSocketServer({ server, path: "/session" }).on("connection", (socket) => {
  const subscriptions = new Map();
  const send = (frame) => socket.send(toBinary(SessionResponseSchema, create(SessionResponseSchema, { frame })));
  living.add(subscriptions);
  socket.on("close", () => living.delete(subscriptions));
  socket.on("message", (data) => {
    const { frame } = fromBinary(SessionRequestSchema, new Uint8Array(data));
    if (frame.case === "hello") send({ case: "ready", value: { protocolVersion: 1, actor: "ada", organizationName: "home", nowUs: nowUs() } });
    else if (frame.case === "subscribe") subscriptions.set(frame.value.subscription, new Subscription(frame.value, send));
    else if (frame.case === "unsubscribe") subscriptions.delete(frame.value.subscription);
  });
});

setInterval(() => {
  offset++;
  for (const run of runs) if (run.live) run.length = Math.floor(Number(nowUs() - run.createdUs) / 1000 / STEP_MS);
  for (const subscriptions of living) for (const s of subscriptions.values()) if (!s.ended) s.answer(false);
}, STEP_MS);
server.listen(Number(port), host, () => console.log(`http://${host}:${port} pretends to be a server; any login link works: /login#x`));
