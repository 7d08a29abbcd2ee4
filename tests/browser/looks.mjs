// How each page looks: at two widths, in light and dark; that nothing sticks out, nothing is refused by the policy, and axe
// finds nothing. Leaves a screenshot of each.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import axe from "axe-core";

const WIDTHS = [390, 1280];
const SCHEMES = ["light", "dark"];

// A page that reports what a person would find in the browser's console.
export async function open(context, problems) {
  const page = await context.newPage();
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) problems.push(`${page.url()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => problems.push(`${page.url()}: ${error}`));
  return page;
}

// `pages` has the address of each page, or what leads a person there.
export async function looks(browser, address, pages, folder) {
  await mkdir(folder, { recursive: true });
  const faults = [];
  for (const width of WIDTHS) {
    for (const colorScheme of SCHEMES) {
      const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
      const problems = [];
      const page = await open(context, problems);
      page.setDefaultTimeout(60000);
      for (const [name, way] of Object.entries(pages)) {
        if (typeof way === "function") await way(page, address);
        else await page.goto(address + way, { waitUntil: "load" });
        await page.waitForTimeout(300);
        const file = `${folder}/${name}-${width}-${colorScheme}.png`;
        await page.screenshot({ path: file, fullPage: true });
        const excess = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        if (excess > 0) faults.push(`${name} at ${width}: sticks out by ${excess} pixels`);
        for (const fault of await violations(page)) faults.push(`${name} at ${width}, ${colorScheme}: ${fault}`);
      }
      faults.push(...problems);
      await context.close();
    }
  }
  assert.deepEqual(faults, []);
}

// axe is evaluated by the debugger, which the page's policy does not concern.
async function violations(page) {
  await page.evaluate(axe.source);
  const result = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return result.violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ")}`);
}
