// What the pages do on real services: each page has what the services hold, and each action does what its plan says.
import assert from "node:assert/strict";
import { RECORD_TOPIC, describesItsFields } from "./behaves.mjs";
import { SUBSYSTEMS, TOKEN } from "./pipeline.mjs";

const TOPIC = "lsst.sal.ATDome_position";
const WITHIN = { timeout: 90000 };

async function waitForText(page, selector, pattern) {
  await page.waitForFunction(
    ([selector, source]) => new RegExp(source).test(document.querySelector(selector)?.textContent ?? ""),
    [selector, pattern.source],
    WITHIN,
  );
}

// Loads a page again until it shows something.
async function reloadUntil(page, address, check) {
  const deadline = Date.now() + WITHIN.timeout;
  for (;;) {
    await page.goto(address);
    if (await check()) return;
    if (Date.now() > deadline) throw new Error(`${address} does not show it: ${await page.locator("main").textContent()}`);
    await page.waitForTimeout(300);
  }
}

async function logIn(page, address) {
  await page.goto(`${address}login`);
  await page.locator("input[name=token]").fill("a guess");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("alert").waitFor();
  await giveToken(page);
}

async function giveToken(page) {
  await page.locator("input[name=token]").fill(TOKEN);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByText("as token").waitFor();
}

async function planReset(page, address) {
  await page.goto(`${address}group?name=influxsink`);
  await page.locator("input[name=to]").fill("earliest");
  await page.locator("form input[name=topic]").fill(TOPIC);
  await page.getByRole("button", { name: "Plan a reset" }).click();
  await page.getByText("Plan: move influxsink").waitFor();
}

// A console has logged a line that says all of these words.
function logged(log, ...words) {
  const line = log.split("\n").find((line) => words.every((word) => line.includes(word)));
  assert.ok(line, `no line with ${words} in ${log}`);
}

// Presses Tab until an element has the focus.
async function tabTo(page, element) {
  for (let pressed = 0; pressed < 100; pressed++) {
    await page.keyboard.press("Tab");
    if (await element.evaluate((element) => element === document.activeElement)) return;
  }
  throw new Error(`${element} is not reached with Tab`);
}

// A message that saltransform refuses.
async function produceBadMessage(pipeline, text) {
  const subsystem = SUBSYSTEMS.split(",")[0];
  await pipeline.kafkaefd(["produce", `${subsystem}_telemetry`], `${text}\n`);
}

// The pages that only a service with a token has, in the order in which they are looked at: what leads there where it is no
// address.
export async function pagesOfActions(pipeline) {
  await produceBadMessage(pipeline, "refused, and not replayed");
  return {
    connectors: "connectors",
    login: "login",
    "reset-plan": async (page, address) => {
      await page.goto(`${address}login`);
      await giveToken(page);
      await planReset(page, address);
    },
    "replay-plan": async (page, address) => {
      const replay = page.getByRole("button", { name: "Replay", exact: true });
      await reloadUntil(page, `${address}dead-letters`, async () => {
        await page.getByRole("button", { name: "Plan a replay of these" }).click();
        await page.getByRole("heading", { name: "Plan: replay dead letters" }).waitFor();
        return (await replay.count()) === 1;
      });
    },
  };
}

export const onServices = {
  async "the overview shows the data flow and both groups"(page, { address }) {
    await page.goto(address);
    await waitForText(page, "#verdict", /All is well/);
    await page.waitForFunction(() => [...document.querySelectorAll(".arrow .rate")].every((rate) => /^[\d.,]*[1-9]/.test(rate.textContent)), null, WITHIN);
    await waitForText(page, "#counts", /adds up/);
    await page.goto(`${address}groups`);
    for (const group of ["saltransform", "influxsink"]) await page.locator("#groups a", { hasText: group }).waitFor(WITHIN);
  },

  async "a field is plotted from InfluxDB"(page, { address }) {
    await page.goto(`${address}telemetry?q=atdome+position`);
    await page.locator("#found li a").first().click();
    await page.waitForFunction(() => (document.querySelector(".plot .wide .series")?.dataset.t ?? "").split(" ").length > 5, null, WITHIN);
    assert.match(await page.locator("main").textContent(), /From InfluxDB/);
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "PNG" }).click()]);
    assert.equal(download.suggestedFilename(), "telemetry.png");
    const stream = await download.createReadStream();
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    assert.deepEqual([...Buffer.concat(chunks).subarray(1, 4)].map((byte) => String.fromCharCode(byte)).join(""), "PNG");
  },

  async "a topic has its newest message, settings and partitions"(page, { address }) {
    await page.goto(`${address}topics`);
    await page.locator("#q").pressSequentially("atdome_position", { delay: 20 });
    await page.locator("#rows tbody a", { hasText: TOPIC }).click();
    await page.locator("#newest table").waitFor();
    assert.match(await page.locator("#newest").textContent(), /azimuthPosition.*double/s);
    // A page does not wait long for settings.
    await reloadUntil(page, page.url(), async () => /All as the brokers set them/.test(await page.locator("main").textContent()));
  },

  async "fields have units, types and descriptions"(page, { address }) {
    await reloadUntil(page, `${address}topic?name=${RECORD_TOPIC}`, async () => (await page.locator("#newest table").count()) === 1);
    await describesItsFields(page);
  },

  async "a connector says why its task failed"(page, { address }) {
    await page.goto(address);
    await page.getByRole("link", { name: "Connectors" }).click();
    const section = page.locator("section", { hasText: "influxdb-sink" });
    assert.match(await section.textContent(), /connector\s*running.*task 0\s*running.*task 1\s*failed/s);
    await section.getByText("Why it failed").click();
    await section.getByText("the database does not answer").waitFor();
  },

  async "messages are searched while somebody waits, until it is stopped"(page, { address, pipeline }) {
    const lines = Array.from({ length: 50000 }, (_, number) => `k:m${number}`);
    await pipeline.kafkaefd(["admin", "topics", "create", "many", "-p", "1", "-r", "1"]);
    await pipeline.kafkaefd(["produce", "many", "-K", ":"], lines.join("\n"));
    await page.goto(`${address}messages?topic=many&start=beginning&key=k&n=20`);
    await waitForText(page, "#searched", /20 messages found, searched 20 of 50,000/);
    // Two are found at the beginning, and another at the end.
    await page.goto(`${address}messages?topic=many&start=beginning&filter=${encodeURIComponent("value =~ '^m(7|8|49999)$'")}&n=20`);
    await waitForText(page, "#searched", /3 messages found, searched 50,000 of 50,000/);
    assert.equal(await page.locator("#results details").count(), 3);
    // More of them, until a search is still going on when it is stopped.
    const deadline = Date.now() + WITHIN.timeout;
    for (;;) {
      for (let round = 0; round < 8; round++) await pipeline.kafkaefd(["produce", "many"], lines.join("\n"));
      await page.goto(`${address}messages?topic=many&start=beginning&filter=${encodeURIComponent("value =~ 'nothing like it'")}`);
      const stop = page.getByRole("button", { name: "Stop" });
      if (await stop.click({ timeout: 2000 }).then(() => true, () => false)) break;
      if (Date.now() > deadline) throw new Error(`a search ends before it is stopped: ${await page.locator("#searched").textContent()}`);
    }
    await waitForText(page, "#searched", /0 messages found, searched [\d,]+ of [\d,]+.*Stopped/);
    assert.equal(await page.getByRole("button", { name: "Stop" }).count(), 0);
  },

  async "two versions of a schema are compared"(page, { address, pipeline }) {
    const field = (name) => ({ name, type: "double", default: 0 });
    const schema = (...names) => JSON.stringify({ type: "record", name: "Made", fields: names.map(field) });
    for (const text of [schema("a"), schema("a", "added")]) {
      const answer = await fetch(`${pipeline.env.SCHEMAREGISTRY}/subjects/made-value/versions`, {
        method: "POST",
        headers: { "content-type": "application/vnd.schemaregistry.v1+json" },
        body: JSON.stringify({ schema: text }),
      });
      assert.equal(answer.status, 200, await answer.text());
    }
    await page.goto(`${address}schemas?q=made`);
    await page.locator("#rows a", { hasText: "made-value" }).click();
    await page.getByRole("button", { name: "Compare" }).click();
    assert.match(await page.locator(".added").first().textContent(), /\+/);
    assert.match((await page.locator(".added").allTextContents()).join(" "), /added/);
  },

  async "a group is moved, once nobody is in it"(page, { address, pipeline }) {
    await page.goto(`${address}group?name=influxsink`);
    await page.locator("tbody th", { hasText: TOPIC }).first().waitFor();
    assert.equal(await page.locator("form[method=post]").count(), 0, "read-only before somebody logs in");
    await logIn(page, address);
    await planReset(page, address);
    await page.getByRole("button", { name: "Move the group" }).click();
    assert.match(await page.getByRole("alert").textContent(), /refused: 1 client in it/);
    await pipeline.stopSink();
    await planReset(page, address);
    await page.getByRole("button", { name: "Move the group" }).click();
    const answer = page.getByRole("status").or(page.getByRole("alert")).filter({ hasText: /moved|refused/ });
    assert.match(await answer.first().textContent(), /1 partition of 1 moved/);
    logged(pipeline.log(), "resetting a group's offsets", "user=\"token\"", "influxsink", "earliest");
    logged(pipeline.log(), "the change failed", "user=\"token\"", "1 client in it");
    const described = JSON.parse(await pipeline.kafkaefd(["groups", "describe", "influxsink", "--json"]));
    assert.equal(described.partitions.find((partition) => partition.topic === TOPIC).committed, 0);
    await pipeline.sink();
  },

  async "dead letters are replayed once"(page, { address, pipeline }) {
    await produceBadMessage(pipeline, "not a message <b>");
    await logIn(page, address);
    await reloadUntil(page, `${address}dead-letters`, async () => (await page.locator("article").count()) > 0);
    assert.match(await page.locator("article").first().textContent(), /not a message <b>/);
    assert.equal(await page.locator("article b").count(), 0);
    await page.locator("td a", { hasText: "bad_header" }).click();
    await page.getByRole("button", { name: "Plan a replay of these" }).click();
    await page.getByRole("button", { name: "Replay" }).click();
    assert.match(await page.getByRole("status").filter({ hasText: "sent" }).textContent(), /1 message sent/);
    logged(pipeline.log(), "replaying dead letters", "user=\"token\"", "letters=1", "bad_header");
    // It is refused again, which is not a reason to replay it again.
    await reloadUntil(page, `${address}dead-letters`, async () => (await page.locator("article").count()) > 1);
    assert.match(await page.locator("main").textContent(), /refused again/);
    await page.getByRole("button", { name: "Plan a replay of these" }).click();
    assert.match(await page.locator("main").textContent(), /nothing to replay: 2 dead letters replayed before/);
    const json = await (await page.request.get(`${address}dead-letters.json`)).json();
    assert.equal(json.length, 2);
  },

  async "whom a proxy has logged in moves a group behind a prefix, with the keyboard alone"(page, { pipeline }) {
    const address = await pipeline.consoleBehindProxy("/site/efd/", "astrid");
    await pipeline.kafkaefd(["groups", "reset", "by-keyboard", "--topic", TOPIC, "--to", "latest", "--execute", "--yes"]);
    await page.goto(`${address}group?name=by-keyboard`);
    await page.getByText("as astrid").waitFor();
    await tabTo(page, page.locator("input[name=to]"));
    await page.keyboard.type("earliest");
    await tabTo(page, page.getByRole("button", { name: "Plan a reset" }));
    await page.keyboard.press("Enter");
    await page.getByText("Plan: move by-keyboard").waitFor();
    await tabTo(page, page.getByRole("button", { name: "Move the group" }));
    await page.keyboard.press("Space");
    const answer = page.getByRole("status").or(page.getByRole("alert")).filter({ hasText: /moved|refused/ });
    assert.match(await answer.first().textContent(), /1 partition of 1 moved/);
    assert.ok(page.url().startsWith(address), page.url());
    logged(pipeline.log("console-behind-proxy"), "resetting a group's offsets", "user=\"astrid\"", "by-keyboard", "earliest");
    const described = JSON.parse(await pipeline.kafkaefd(["groups", "describe", "by-keyboard", "--json"]));
    assert.equal(described.partitions.find((partition) => partition.topic === TOPIC).committed, 0);
  },

  async "what a person was shown is asked of the person who is logged in"(page, { address }) {
    await logIn(page, address);
    await page.goto(`${address}dead-letters`);
    const form = { form_token: await page.locator("input[name=form_token]").first().inputValue() };
    await page.getByRole("button", { name: "Log out" }).click();
    const answer = await page.request.post(`${address}dead-letters-plan`, { form });
    assert.equal(answer.status(), 403);
  },
};
