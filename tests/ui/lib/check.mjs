//! Cases one after the other: each named, each with its time, a picture of the page where one failed.
import assert from "node:assert/strict";

export { assert };

export class Checks {
  passed = 0;
  failed = 0;
  /** The page that a failure is pictured from. */
  tab = undefined;

  constructor(only) {
    this.only = only;
  }

  async check(name, run) {
    if (this.only && !name.includes(this.only)) return;
    const began = Date.now();
    try {
      const note = await run();
      this.passed++;
      console.log(`ok   ${name} (${Date.now() - began} ms)${note ? `: ${note}` : ""}`);
    } catch (error) {
      this.failed++;
      console.log(`FAIL ${name}\n     ${String(error.stack ?? error).replaceAll("\n", "\n     ")}`);
      await this.tab?.shot(`failed-${name.replaceAll(/\W+/g, "-").slice(0, 60)}`).catch(() => undefined);
    }
  }
}
