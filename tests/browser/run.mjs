// The pages of kafkaefd in headless Chromium, over a running demo: `make test-browser`. Screenshots are left in the folder
// that the second argument names.
import { chromium } from "playwright-core";
import { behaves, readsWithoutScripts } from "./behaves.mjs";
import { startDemo, startProxy } from "./demo.mjs";
import { looks } from "./looks.mjs";

const [binary, folder] = process.argv.slice(2);
const PREFIX = "/site/efd/";

const demo = await startDemo(binary);
const proxy = await startProxy(demo.address, PREFIX);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
try {
  console.log(`the demo is at ${demo.address}, behind a prefix at ${proxy.address}`);
  await behaves(browser, demo.address);
  console.log("behind a prefix:");
  await behaves(browser, proxy.address);
  const pages = await somePages(demo.address);
  await readsWithoutScripts(browser, proxy.address, pages);
  await looks(browser, demo.address, pages, folder);
  console.log(`ok  ${Object.keys(pages).length} pages at two widths, in light and dark; screenshots in ${folder}`);
} finally {
  await browser.close();
  proxy.stop();
  await demo.stop();
}

// One address of each page, with names that this demo has.
async function somePages(address) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const first = async (path, selector) => {
    await page.goto(address + path);
    return new URL(await page.locator(selector).first().evaluate((link) => link.href));
  };
  const relative = (url) => url.pathname.slice(1) + url.search;
  const topic = relative(await first("topics?q=atdome", "#rows tbody a"));
  const schema = relative(await first("schemas", "#rows a"));
  await context.close();
  return {
    overview: "",
    telemetry: "telemetry",
    search: "telemetry?q=position",
    topics: "topics",
    topic,
    messages: topic.replace("topic?name=", "messages?topic="),
    groups: "groups",
    schemas: "schemas",
    schema,
    "dead-letters": "dead-letters",
  };
}
