//! Every case in the order of a visit: sign in, look, wait, zoom, read, lose the network and the server, look again in the dark.
import { launch, signIn } from "./lib/browser.mjs";
import { Checks } from "./lib/check.mjs";
import { Hand } from "./lib/hand.mjs";

const CASES = ["sign", "live", "quiet", "spike", "values", "hostile", "access", "table", "axis", "pixel", "silent", "restart"];

const checks = new Checks(process.argv[2] || undefined);
const hand = new Hand();
let browser;
try {
  const { url, link } = await hand.start();
  browser = await launch();
  const world = { hand, browser, url, link, checks };
  const { sign } = await import("./cases/sign.mjs");
  await sign(world);
  world.state = await signIn(browser, await hand.link());
  for (const name of CASES.slice(1)) await (await import(`./cases/${name}.mjs`))[name](world);
} catch (error) {
  checks.failed++;
  console.log(`FAIL the cases could not go on\n     ${error.stack ?? error}`);
} finally {
  await browser?.close();
  await hand.end();
}
console.log(`${checks.passed} passed, ${checks.failed} failed`);
process.exit(checks.failed > 0 || checks.passed === 0 ? 1 : 0);
