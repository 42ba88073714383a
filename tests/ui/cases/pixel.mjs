//! From log() in Python to the changed pixel in Chromium. The time is told, not gated; that nothing polls is gated in quiet.mjs.
import { assert } from "../lib/check.mjs";
import { measurePixels } from "../lib/latency.mjs";

export async function pixel(world) {
  await world.checks.check("each logged point changes pixels by itself", async () => {
    const { times, requests, sent } = await measurePixels(world, 12);
    assert.equal(times.length, 12);
    assert.deepEqual([requests, sent], [0, 0], "by push alone");
    const sorted = [...times].sort((a, b) => a - b);
    return `median ${Math.round(sorted[6])} ms, at most ${Math.round(sorted[11])} ms`;
  });
}
