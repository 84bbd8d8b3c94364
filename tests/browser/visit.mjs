// Opens pages in Chromium and tells what it saw, as one JSON object on standard output.
//
//   node visit.mjs CHROMIUM PAGE...
//
// Nothing here judges: the tests in tests/reporting/html do.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const [executablePath, ...pages] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
const WIDTHS = [1280, 390];
const VISIBLE = (selector) => `[...document.querySelectorAll(${JSON.stringify(selector)})].filter((e) => e.offsetParent !== null).length`;

async function open(page, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const tab = await context.newPage();
  const seen = { console: [], requests: [], dialogs: [] };
  tab.on("console", (message) => ["error", "warning"].includes(message.type()) && seen.console.push(message.text()));
  tab.on("pageerror", (error) => seen.console.push(String(error)));
  tab.on("request", (request) => request.url().startsWith("data:") || seen.requests.push(request.url()));
  tab.on("dialog", (dialog) => { seen.dialogs.push(dialog.message()); dialog.dismiss(); });
  await tab.goto(pathToFileURL(page).href, { waitUntil: "load" });
  return { context, tab, seen };
}

// Whether the content spills over the window's edge, and what does it.
const overflow = () => {
  const width = document.documentElement.clientWidth;
  return document.documentElement.scrollWidth <= width ? [] : [...document.querySelectorAll("body *")]
    .filter((e) => e.getBoundingClientRect().right > width + 1).slice(0, 5).map((e) => `${e.tagName}.${e.className.baseVal ?? e.className}`);
};

// What scrolls sideways by itself; tables that repeat a picture's figures may, as they are closed at first.
const sideways = () => [...document.querySelectorAll("body *:not(pre)")]
  .filter((e) => e.scrollWidth > e.clientWidth + 1 && ["auto", "scroll"].includes(getComputedStyle(e).overflowX) && !e.closest(".numbers"))
  .slice(0, 5).map((e) => `${e.tagName}.${e.className} ${e.scrollWidth} > ${e.clientWidth}`);

async function look(page, colorScheme, width) {
  const { context, tab, seen } = await open(page, { colorScheme, viewport: { width, height: 900 }, bypassCSP: true });
  const spilled = [...await tab.evaluate(overflow), ...await tab.evaluate(sideways)];
  await tab.evaluate(() => document.querySelectorAll("details").forEach((part) => { part.open = true; }));
  await tab.evaluate(axe);
  const found = await tab.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  await context.close();
  const violations = found.violations.map(({ id, impact, help, nodes }) => ({
    id, impact, help, where: nodes.slice(0, 3).map((node) => `${node.target.join(" ")}: ${node.failureSummary}`),
  }));
  return { ...seen, colorScheme, width, spilled, violations };
}

async function keyboard(page) {
  const { context, tab, seen } = await open(page);
  const found = {};
  const onto = async (selector) => {
    for (let steps = 0; steps < 600; steps += 1) {
      await tab.keyboard.press("Tab");
      if (await tab.evaluate((s) => document.activeElement?.matches(s) ?? false, selector)) return true;
    }
    return false;
  };
  found.skipped = await onto("a.skip");
  await tab.keyboard.press("Enter");
  found.landed = await tab.evaluate(() => document.activeElement?.id);
  found.all = await tab.evaluate(VISIBLE("details.cell"));
  found.reachedFilter = await onto("input[name=verdict][value=fail]");
  await tab.keyboard.press("Space");
  found.failing = await tab.evaluate(VISIBLE("details.cell"));
  found.kinds = await tab.evaluate(() => [...new Set([...document.querySelectorAll("details.cell:not([hidden])")].map((cell) => cell.dataset.verdict))]);
  await tab.keyboard.press("Space");
  found.reachedText = await onto("input[name=text]");
  await tab.keyboard.type("ack-03");
  found.byText = await tab.evaluate(VISIBLE("details.cell"));
  found.shown = await tab.evaluate(() => document.querySelector("output[name=shown]").value);
  found.reachedCell = await onto("details.cell:not([hidden]) > summary");
  await tab.keyboard.press("Enter");
  found.opened = await tab.evaluate(() => document.querySelector("details.cell:not([hidden])").open);
  await tab.keyboard.press("Enter");
  found.closed = await tab.evaluate(() => !document.querySelector("details.cell:not([hidden])").open);
  found.outline = await tab.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  await tab.evaluate(() => { location.hash = "#STA-02"; });
  await tab.waitForFunction(() => document.getElementById("STA-02").closest("details").open);
  found.linkOpens = await tab.evaluate(VISIBLE("#STA-02"));
  await context.close();
  return { ...seen, ...found };
}

async function withoutScript(page) {
  const { context, tab, seen } = await open(page, { javaScriptEnabled: false });
  const found = {
    filters: await tab.locator("form.filters").isVisible(),
    cells: await tab.locator("details.cell").evaluateAll((all) => all.length),
    pictures: await tab.locator(".picture .wide svg").evaluateAll((all) => all.filter((e) => e.getBoundingClientRect().height > 20).length),
  };
  const part = await tab.$("details:not([open])");
  if (part) await (await part.$("summary")).click();
  found.opened = part && await (await part.$("summary + *")).isVisible();
  await context.close();
  return { ...seen, ...found };
}

async function inert(page) {
  const { context, tab, seen } = await open(page);
  await tab.evaluate(() => document.querySelectorAll("details").forEach((part) => { part.open = true; }));
  const found = await tab.evaluate(() => ({
    title: document.title,
    scripts: document.scripts.length,
    strange: [...document.querySelectorAll("img, iframe, object, embed, base, form:not(.filters), [onerror], [onload], [onclick]")].length,
  }));
  // The policy stops what is added, too.
  found.ran = await tab.evaluate(async () => {
    const script = document.createElement("script");
    script.textContent = "globalThis.ran = true";
    document.body.append(script);
    const image = new Image();
    image.src = "http://127.0.0.1:9/x.png";
    document.body.append(image);
    await new Promise((done) => { image.onerror = done; image.onload = done; });
    return globalThis.ran === true;
  }).catch(String);
  await context.close();
  return { ...seen, ...found };
}

async function paper(page) {
  const { context, tab } = await open(page, { colorScheme: "dark" });
  await tab.emulateMedia({ media: "print", colorScheme: "dark" });
  const found = await tab.evaluate(() => ({
    ground: getComputedStyle(document.documentElement).backgroundColor,
    ink: getComputedStyle(document.documentElement).color,
    filters: document.querySelector(".filters")?.offsetParent ?? null,
  }));
  found.bytes = (await tab.pdf()).length;
  await context.close();
  return found;
}

const found = {};
for (const page of pages) {
  found[page] = { looks: [], keyboard: null, withoutScript: await withoutScript(page), inert: await inert(page), paper: await paper(page) };
  for (const colorScheme of ["light", "dark"]) {
    for (const width of WIDTHS) found[page].looks.push(await look(page, colorScheme, width));
  }
  if (await readFile(page, "utf8").then((text) => text.includes('class="filters"'))) found[page].keyboard = await keyboard(page);
}
await browser.close();
process.stdout.write(JSON.stringify(found));
