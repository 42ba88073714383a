//! The row of `make bench`: one line of JSON with the milliseconds from log() to the changed pixel.
import { launch, signIn } from "./lib/browser.mjs";
import { Hand } from "./lib/hand.mjs";
import { measurePixels } from "./lib/latency.mjs";

const POINTS = 40;

const hand = new Hand();
let browser;
try {
  const { url, link } = await hand.start();
  browser = await launch();
  const { times } = await measurePixels({ hand, browser, url, state: await signIn(browser, link) }, POINTS);
  const sorted = times.sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  console.log(JSON.stringify({ points: sorted.length, p50_ms: at(0.5), p95_ms: at(0.95), max_ms: sorted.at(-1) }));
} finally {
  await browser?.close();
  await hand.end();
}
