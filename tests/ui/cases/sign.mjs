//! Signing in: a link works once, by what the page posts and not by being fetched; without it nothing is shown.
import { Tab } from "../lib/browser.mjs";
import { assert } from "../lib/check.mjs";

export async function sign({ browser, hand, url, link, checks }) {
  await checks.check("without a sign-in the page says what to do, and shows nothing", async () => {
    const tab = (checks.tab = await Tab.open(browser));
    await tab.page.goto(`${url}/p/secret`);
    await tab.page.getByRole("heading", { name: "Sign in" }).waitFor();
    assert.match(await tab.page.locator("body").innerText(), /corral login/);
    assert.equal(tab.frames.filter((f) => f.way === "in" && f.frame.case === "answer").length, 0);
    await tab.shot("sign-in");
    await tab.close();
  });

  await checks.check("fetching a login link uses nothing up; it signs in once, and leaves the address", async () => {
    for (let i = 0; i < 3; i++) assert.equal((await fetch(link)).status, 200);
    const tab = (checks.tab = await Tab.open(browser));
    await tab.page.goto(link);
    await tab.page.getByRole("navigation").waitFor();
    assert.equal(new URL(tab.page.url()).hash, "");
    await tab.page.reload();
    await tab.page.getByRole("navigation").waitFor();
    assert.equal(tab.requests.filter((r) => r.includes(link.split("#")[1])).length, 0, "the token is in no request's address");
    await tab.close();

    const second = (checks.tab = await Tab.open(browser));
    await second.page.goto(link);
    await second.page.getByRole("alert").waitFor();
    await second.close();
  });

  await checks.check("the cookie alone opens nothing: both halves are needed", async () => {
    const tab = (checks.tab = await Tab.open(browser));
    await tab.page.goto(url);
    await tab.page.evaluate(() => localStorage.setItem("corral_session", "0".repeat(32)));
    await tab.page.reload();
    await tab.page.getByRole("heading", { name: "Sign in" }).waitFor();
    await tab.close();
  });

  await checks.check("signing out ends the session here and on the server", async () => {
    const tab = (checks.tab = await Tab.open(browser));
    await tab.page.goto(await hand.link());
    await tab.page.getByRole("navigation").waitFor();
    const state = await tab.context.storageState();
    await tab.page.getByRole("button", { name: /^Sign out/ }).click();
    await tab.page.getByRole("heading", { name: "Sign in" }).waitFor();
    await tab.close();
    const again = (checks.tab = await Tab.open(browser, { state }));
    await again.page.goto(url);
    await again.page.getByRole("heading", { name: "Sign in" }).waitFor();
    await again.close();
  });
}
