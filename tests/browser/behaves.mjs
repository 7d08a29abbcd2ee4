// What the pages do: parts that move, searches while typing, plots that are read and zoomed, and all of it without scripts.
import assert from "node:assert/strict";
import { open } from "./looks.mjs";

// How long a page may take on a machine that is busy with other tests.
const TIMEOUT = 90000;
// Characters of a page that an error shows.
const MAX_SHOWN = 2000;

// A topic of records, some of whose fields have a unit and some a description.
export const RECORD_TOPIC = "lsst.sal.ATHexapod_positionStatus";

// On the page of that topic: what the schema says of its fields.
export async function describesItsFields(page) {
  const cells = async (field) => {
    const row = page.locator("#newest tr", { has: page.getByRole("rowheader", { name: field, exact: true }) });
    return (await row.locator("td").allTextContents()).slice(1);
  };
  assert.deepEqual(await cells("setpointPosition"), ["mm", "array of double", ""]);
  assert.deepEqual(await cells("sal_sequence"), ["", "long", "SAL sequence number."]);
}

async function moves(page, selector) {
  const before = await page.locator(selector).innerHTML();
  await page.waitForFunction(
    ([selector, before]) => document.querySelector(selector).innerHTML !== before,
    [selector, before],
  );
}

export const behaviour = {
  async "the overview moves and says that all is well"(page, { address }) {
    await page.goto(address);
    await page.waitForFunction(() => document.querySelector("#verdict")?.textContent.includes("All is well"));
    await moves(page, "#flow");
    await page.waitForFunction(() => document.querySelector("#live-state")?.textContent === "live");
    const rates = await page.locator(".arrow .rate").allTextContents();
    assert.equal(rates.length, 5);
    await page.waitForFunction(() => [...document.querySelectorAll(".arrow .rate")].every((rate) => /^[1-9]/.test(rate.textContent)));
    await page.waitForFunction(() => /adds up/.test(document.querySelector("#counts").textContent));
  },

  async "a field is found by typing and plotted"(page, { address }) {
    await page.goto(`${address}telemetry`);
    await page.waitForFunction(() => document.querySelector(".plot path.line")?.getAttribute("d"));
    await page.locator("#q").pressSequentially("azimuth position", { delay: 20 });
    await page.waitForFunction(() => /found in \d+ topics/.test(document.querySelector("#found").textContent));
    await page.locator("#found ul").first().locator("a").first().click();
    await page.waitForURL(/f=.+%3A/);
    await page.locator(".plot .wide path.line").first().waitFor({ state: "attached" });
    await moves(page, "#plot");
  },

  async "a plot tells its values and is zoomed"(page, { address }) {
    await page.goto(`${address}telemetry`);
    // The range that is zoomed into below has values.
    await page.waitForFunction(() => {
      const { from, to } = document.querySelector(".plot .wide svg")?.dataset ?? {};
      const times = (document.querySelector(".plot .wide .series")?.dataset.t ?? "").split(" ").map(Number);
      return times.length > 5 && times[0] < 0.6 * (to - from);
    });
    const box = await page.locator(".plot .wide svg").boundingBox();
    await page.mouse.move(box.x + box.width * 0.95, box.y + box.height / 3);
    await page.locator(".tip").waitFor();
    assert.match(await page.locator(".tip").textContent(), /UTC/);
    await page.locator("figure.plot").focus();
    await page.keyboard.press("ArrowLeft");
    await page.locator(".tip").waitFor();
    await page.mouse.move(box.x + box.width * 0.6, box.y + box.height / 3);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.9, box.y + box.height / 3, { steps: 5 });
    await page.mouse.up();
    await page.waitForURL(/from=.*to=/);
    await page.locator(".plot .wide svg").waitFor();
    const csv = await page.request.get(await page.locator("a[download]", { hasText: "CSV" }).evaluate((link) => link.href));
    assert.match(await csv.text(), /^time,topic,field,unit,value,least,most\n2/);
    const [png] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "PNG" }).click()]);
    assert.equal(png.suggestedFilename(), "telemetry.png");
    const svg = await page.request.get(await page.locator("a[download]", { hasText: "SVG" }).evaluate((link) => link.href));
    assert.match(await svg.text(), /^<svg xmlns/);
  },

  async "a topic shows its newest message with units, types and descriptions"(page, { address }) {
    await page.goto(`${address}topics`);
    await page.locator("#q").pressSequentially("athexapod", { delay: 20 });
    // The list of all topics is there until the search has answered.
    await page.waitForFunction(() => {
      const links = [...document.querySelectorAll("#rows tbody a")];
      return links.length > 0 && links.every((link) => /athexapod/i.test(link.textContent));
    });
    await page.locator("#rows tbody a", { hasText: RECORD_TOPIC }).click();
    await page.locator("#newest table").waitFor();
    await describesItsFields(page);
    await moves(page, "#newest");
    await page.getByRole("link", { name: "Messages", exact: true }).click();
    await page.locator("#searched").waitFor();
    assert.match(await page.locator("#searched").textContent(), /searched [\d,]+ of [\d,]+/);
  },

  async "the keyboard alone is enough"(page, { address }) {
    await page.goto(address);
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Telemetry");
    await page.keyboard.press("Enter");
    await page.waitForURL(/telemetry/);
  },

  async "nothing can be changed"(page, { address }) {
    for (const path of ["group-reset", "dead-letters-replay", "group-plan"]) {
      const answer = await page.request.post(address + path, { form: { name: "x", to: "earliest" } });
      assert.equal(answer.status(), 403, path);
    }
    for (const path of ["groups", "dead-letters", "login"]) {
      await page.goto(address + path);
      assert.equal(await page.locator("form[method=post]").count(), 0, path);
    }
  },
};

// Does what each entry of `behaviour` says, on a page of its own.
export async function behaves(browser, behaviour, where) {
  for (const [name, check] of Object.entries(behaviour)) {
    const problems = [];
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    context.setDefaultTimeout(TIMEOUT);
    const page = await open(context, problems);
    try {
      await check(page, where);
    } catch (error) {
      const shown = await page.locator("main").innerText().catch(() => "no content");
      throw new Error(`${name}, at ${page.url()}: ${error.stack}\nthe page shows:\n${shown.slice(0, MAX_SHOWN)}\nits console:\n${problems.join("\n")}`);
    } finally {
      await context.close();
    }
    // A page that is not there and a form that is refused are asked for on purpose.
    assert.deepEqual(problems.filter((problem) => !/status of 40[349]/.test(problem)), [], name);
    console.log(`ok  ${name}`);
  }
}

// Every page without scripts: its content is there, and it is loaded again by itself.
export async function readsWithoutScripts(browser, address, pages) {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  for (const [name, path] of Object.entries(pages)) {
    if (typeof path === "function") continue;
    const answer = await page.goto(address + path);
    assert.equal(answer.status(), 200, name);
    assert.ok((await page.locator("main").textContent()).length > 20, name);
  }
  await page.goto(`${address}telemetry?q=azimuth`);
  assert.match(await page.locator("#found").textContent(), /found in/);
  await context.close();
  console.log("ok  every page can be read without scripts");
}
