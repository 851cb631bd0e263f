// A shop's web server: its static pages, and /recs/… , which forwards what a page may ask to the gateway. So the API key stays
// here, the browser needs no CORS, and who is signed in is said by the server and not by the page.
// Run: node shop_server.mjs http://127.0.0.1:8000 8600 [API key: read, events]
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

const [gateway, port, key] = process.argv.slice(2);
const PAGES = fileURLToPath(new URL("..", import.meta.url));
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript" };
const MAY_BE_ASKED = [/^GET \/v1\/items\b/, /^POST \/v1\/(recommendations|events)$/]; // nothing of users
const LONGEST_BODY = 65536;

createServer(async (request, response) => {
  const { pathname, search } = new URL(request.url, "http://shop");
  try {
    if (!pathname.startsWith("/recs/")) return await page(pathname, response);
    const path = pathname.slice("/recs".length);
    const asked = `${request.method} ${path}`;
    if (!MAY_BE_ASKED.some((pattern) => pattern.test(asked))) return response.writeHead(403).end();
    const answer = await fetch(gateway + path + search, {
      method: request.method,
      headers: { "Content-Type": "application/json", ...(key && { Authorization: `Bearer ${key}` }) },
      ...(request.method === "POST" && { body: JSON.stringify(asVisitor(JSON.parse(await bodyOf(request)))) }),
    });
    const passed = ["content-type", "retry-after", "x-request-id"].filter((name) => answer.headers.has(name));
    response.writeHead(answer.status, Object.fromEntries(passed.map((name) => [name, answer.headers.get(name)])));
    response.end(Buffer.from(await answer.arrayBuffer()));
  } catch (error) {
    console.error(error);
    if (!response.headersSent) response.writeHead(502);
    response.end();
  }
}).listen(Number(port), "127.0.0.1", () => console.log(`http://127.0.0.1:${port}/examples/shop.html`));

/** Without a user that the page claims to be. Here a real shop puts in who is signed in, by its own cookie. */
function asVisitor({ user_id, ...said }) {
  return said.events ? { events: said.events.map(asVisitor) } : said;
}

async function bodyOf(request) {
  let body = "";
  for await (const part of request) if ((body += part).length > LONGEST_BODY) throw new RangeError("too long");
  return body;
}

async function page(pathname, response) {
  if (!/^\/(examples|dist)\/[\w-]+\.(html|js)$/.test(pathname)) return response.writeHead(404).end();
  response.writeHead(200, { "Content-Type": TYPES[extname(pathname)] }).end(await readFile(PAGES + pathname));
}
