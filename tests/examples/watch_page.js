// Opens the web example as a browser does, and prints what it shows, as JSON.
// Usage: node watch_page.js CHROMIUM PAGE SECONDS OUT.png
// There is no network but the loopback. Written down: each text that the page shows, once; what it draws, and how large
// that is on the page; what it asked the network for; and all that the browser complains about.
const fs = require("fs");
const { chromium } = require("playwright-core");

const [executablePath, address, seconds, picture] = process.argv.slice(2);

async function main() {
  const args = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"];
  const browser = await chromium.launch({ executablePath, args });
  const page = await browser.newPage({ viewport: { width: 800, height: 600 } });
  const complaints = [], asked = [];
  page.on("console", (said) => ["error", "warning"].includes(said.type()) && complaints.push(said.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.route(
    (url) => url.protocol !== "file:" && url.hostname !== "127.0.0.1",
    (route) => (asked.push(route.request().url()), route.abort()),
  );
  await page.goto(address);
  const texts = [];
  const until = Date.now() + 1000 * seconds;
  while (Date.now() < until) {
    const text = await page.textContent("#status");
    if (!texts.includes(text)) texts.push(text);
    if (fs.existsSync(`${picture}.enough`)) break;
    if (text.includes("head")) fs.writeFileSync(`${picture}.seen`, "");
    await page.waitForTimeout(50);
  }
  const views = await page.$$eval("#views canvas", (all) =>
    all.map((view) => {
      const { data } = view.getContext("2d").getImageData(0, 0, view.width, view.height);
      const lit = [];
      for (let i = 3; i < data.length; i += 4) if (data[i]) lit.push((i - 3) / 4);
      const xs = lit.map((at) => at % view.width), ys = lit.map((at) => Math.floor(at / view.width));
      const most = (values) => values.reduce((a, b) => Math.max(a, b), -1);
      const { left, top, right, bottom } = view.getBoundingClientRect();
      return {
        camera: view.title, size: [view.width, view.height], right: most(xs), bottom: most(ys),
        shown: [right - left, bottom - top],
        inside: left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight,
        place: [left, top, right, bottom],
      };
    }),
  );
  await page.screenshot({ path: picture });
  await browser.close();
  console.log(JSON.stringify({ texts, complaints, asked, views }));
}

main();
