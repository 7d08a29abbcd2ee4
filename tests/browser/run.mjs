// The pages of kafkaefd in headless Chromium, over a running demo and, if KAFKA_EFD_SERVICES names an instance of
// scripts/services, over a pipeline on real services: `make test-browser`. Screenshots are left in the folder that the second
// argument names.
import { chromium } from "playwright-core";
import { RECORD_TOPIC, behaves, behaviour, readsWithoutScripts } from "./behaves.mjs";
import { looks } from "./looks.mjs";
import { Pipeline, hasServices } from "./pipeline.mjs";
import { startDemo, startProxy } from "./processes.mjs";
import { onServices, pagesOfActions } from "./real.mjs";

const [binary, folder] = process.argv.slice(2);
const PREFIX = "/site/efd/";

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
try {
  await onTheDemo();
  if (await hasServices(process.env.KAFKA_EFD_SERVICES)) await onRealServices();
  else console.log("left out: the pages on real services (no KAFKA_EFD_SERVICES with a Kafka, a registry and an InfluxDB)");
} finally {
  await browser.close();
}

async function onTheDemo() {
  const demo = await startDemo(binary);
  const proxy = await startProxy(demo.address, PREFIX);
  try {
    console.log(`the demo is at ${demo.address}, behind a prefix at ${proxy.address}`);
    await behaves(browser, behaviour, { address: demo.address });
    console.log("behind a prefix:");
    await behaves(browser, behaviour, { address: proxy.address });
    const pages = await somePages(demo.address);
    await readsWithoutScripts(browser, proxy.address, pages);
    await looks(browser, demo.address, pages, folder);
    console.log(`ok  ${Object.keys(pages).length} pages at two widths, in light and dark; screenshots in ${folder}`);
  } finally {
    proxy.stop();
    await demo.stop();
  }
}

async function onRealServices() {
  const pipeline = await Pipeline.start(binary, process.env.KAFKA_EFD_SERVICES);
  try {
    console.log(`on real services, the console is at ${pipeline.address}`);
    await behaves(browser, onServices, { address: pipeline.address, pipeline });
    const pages = { ...(await somePages(pipeline.address)), group: "group?name=influxsink", ...(await pagesOfActions(pipeline)) };
    await readsWithoutScripts(browser, pipeline.address, pages);
    await looks(browser, pipeline.address, pages, `${folder}/services`);
    console.log(`ok  ${Object.keys(pages).length} pages on real services; screenshots in ${folder}/services`);
  } finally {
    await pipeline.stop();
  }
}

// One address of each page, with names that there are.
async function somePages(address) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const first = async (path, selector) => {
    await page.goto(address + path);
    return new URL(await page.locator(selector).first().evaluate((link) => link.href));
  };
  const relative = (url) => url.pathname.slice(1) + url.search;
  const topic = relative(await first(`topics?q=${RECORD_TOPIC}`, "#rows tbody a"));
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
