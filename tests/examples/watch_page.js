// Opens the web example as a browser does, and prints what it shows, as JSON.
// Usage: node watch_page.js CHROMIUM PAGE SECONDS OUT.png
// three.js comes from node_modules instead of the network. Written down: each text that the page shows, once; what it
// draws; and all that the browser complains about.
const fs = require("fs");
const path = require("path");
const { chromium } = require("playwright-core");

const [executablePath, address, seconds, picture] = process.argv.slice(2);
const three = path.dirname(path.dirname(require.resolve("three")));

async function main() {
  const args = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"];
  const browser = await chromium.launch({ executablePath, args });
  const page = await browser.newPage({ viewport: { width: 800, height: 600 } });
  const complaints = [], asked = [];
  page.on("console", (said) => ["error", "warning"].includes(said.type()) && complaints.push(said.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.route(/^https:/, (route) => {
    const [, file] = route.request().url().match(/\/three@[\d.]+\/(.*)$/) ?? [];
    asked.push(route.request().url());
    return file ? route.fulfill({ path: path.join(three, file), contentType: "text/javascript" }) : route.abort();
  });
  await page.goto(address);
  const texts = [];
  const until = Date.now() + 1000 * seconds;
  while (Date.now() < until) {
    const text = await page.textContent("#said");
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
      return { camera: view.title, size: [view.width, view.height], right: most(xs), bottom: most(ys) };
    }),
  );
  await page.screenshot({ path: picture });
  await browser.close();
  console.log(JSON.stringify({ texts, complaints, asked, views }));
}

main();
