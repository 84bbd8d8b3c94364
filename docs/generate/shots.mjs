// Pictures of parts of pages: node shots.mjs CHROMIUM PAGE SELECTOR HEIGHT OUT [PAGE SELECTOR HEIGHT OUT]...
// HEIGHT is the most that is shown of the part, in pixels.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const { chromium } = createRequire(new URL("../../tests/browser/package.json", import.meta.url))("playwright-core");
const [executablePath, ...rest] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
const context = await browser.newContext({ viewport: { width: 1120, height: 900 }, colorScheme: "light" });
for (let i = 0; i < rest.length; i += 4) {
  const [page, selector, height, path] = rest.slice(i, i + 4);
  const tab = await context.newPage();
  await tab.goto(pathToFileURL(page).href, { waitUntil: "load" });
  const part = tab.locator(selector).first();
  await part.scrollIntoViewIfNeeded();
  const { x, y, width, height: whole } = await part.evaluate((e) => {
    const { x, y, width, height } = e.getBoundingClientRect();
    return { x: x + scrollX, y: y + scrollY, width, height };
  });
  await tab.screenshot({ path, fullPage: true, clip: { x, y, width, height: Math.min(whole, Number(height)) } });
  await tab.close();
}
await browser.close();
