// The client over a made-up network: what it sends, repeats, waits for and throws.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Client, NoAnswerError, ProblemError, Tracker } from "../dist/index.js";

const PROBLEM = { type: "about:blank", title: "T", detail: "D", instance: "/v1/x", request_id: "r-1" };
const POPULAR = { artifact_version: "v1", items: [], level: "full", degraded: false };

/** Answers in turn, the last one again and again; what was asked and how long was waited. */
function scripted(...answers) {
  const asked = [];
  const waits = [];
  const fetch = async (url, init) => {
    asked.push({ url, ...init, body: init.body && JSON.parse(init.body) });
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer instanceof Error) throw answer;
    const { status = 200, body, headers = {} } = answer;
    return new Response(typeof body === "string" ? body : JSON.stringify(body), { status, headers });
  };
  const wait = async (milliseconds) => void waits.push(milliseconds);
  const client = (options = {}) => new Client({ baseUrl: "http://api", fetch, wait, ...options });
  return { asked, waits, client };
}

const problem = (status, more = {}, headers = {}) => ({ status, body: { ...PROBLEM, status, ...more }, headers });
const good = { body: POPULAR };

for (const status of [429, 502, 503, 504]) {
  test(`${status} is asked again under the same request id, after a wait that doubles`, async () => {
    const { asked, waits, client } = scripted(problem(status), problem(status), good);
    assert.equal((await client().getPopularItems()).level, "full");
    assert.equal(asked.length, 3);
    assert.equal(new Set(asked.map((each) => each.headers["X-Request-ID"])).size, 1);
    assert.ok(50 <= waits[0] && waits[0] <= 100 && 100 <= waits[1] && waits[1] <= 200, String(waits));
  });
}

for (const status of [400, 401, 403, 404, 422, 500]) {
  test(`${status} is not asked again, and carries what the API said`, async () => {
    const errors = [{ location: "query.count", message: "too many" }];
    const { asked, client } = scripted(problem(status, { errors }));
    await assert.rejects(client().getPopularItems(), (error) => {
      assert.ok(error instanceof ProblemError);
      assert.equal(error.status, status);
      assert.deepEqual(error.problem.errors, errors);
      assert.equal(error.message, `${status} T: D (request r-1)`);
      return true;
    });
    assert.equal(asked.length, 1);
  });
}

test("Retry-After is waited for, and told at once where it is too long", async () => {
  const soon = scripted(problem(503, {}, { "Retry-After": "2" }), good);
  await soon.client().getPopularItems();
  assert.ok(2000 < soon.waits[0] && soon.waits[0] <= 2100);
  const late = scripted(problem(429, {}, { "Retry-After": "60" }));
  await assert.rejects(late.client().getPopularItems(), (error) => error.retryAfter === 60);
  assert.deepEqual(late.waits, []);
});

test("a broken connection is tried again, and in the end told with the request id", async () => {
  const { asked, client } = scripted(new TypeError("broken"));
  await assert.rejects(client({ retries: { attempts: 4 } }).getPopularItems(), (error) => {
    assert.ok(error instanceof NoAnswerError);
    assert.equal(error.message, "GET http://api/v1/items/popular: broken");
    assert.equal(error.requestId, asked[0].headers["X-Request-ID"]);
    return true;
  });
  assert.equal(asked.length, 4);
});

test("an attempt ends after its timeout", async () => {
  const never = (_, { signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const client = new Client({ baseUrl: "http://api", fetch: never, timeout: 1, retries: { attempts: 1 } });
  await assert.rejects(client.getPopularItems(), /no answer within 1 ms/);
});

test("who aborts gets their own reason, and nothing is repeated", async () => {
  const { asked, client } = scripted(good);
  await assert.rejects(client().recommend({}, { signal: AbortSignal.abort(new Error("left")) }), /left/);
  assert.equal(asked.length, 0);
});

test("an event has its id before it is sent, and keeps it", async () => {
  const { asked, client } = scripted(problem(503), { body: {} });
  await client().postEvents([{ user_id: "u", item_id: "i", type: "view" }, { user_id: "u", item_id: "i", type: "view", event_id: "mine" }]);
  const ids = asked.map((each) => each.body.events.map((event) => event.event_id));
  assert.match(ids[0][0], /^[0-9a-f]{32}$/);
  assert.equal(ids[0][1], "mine");
  assert.deepEqual(ids[1], ids[0]);
});

test("the key is shown, parameters are repeated, and a path in front is kept", async () => {
  const { asked, client } = scripted(good);
  await client({ baseUrl: "https://shop.example/recs/", apiKey: "rk_1" }).getPopularItems({ count: 3, category: ["A & B", "C"] });
  assert.equal(asked[0].headers.Authorization, "Bearer rk_1");
  assert.equal(asked[0].url, "https://shop.example/recs/v1/items/popular?count=3&category=A+%26+B&category=C");
});

test("an id travels as one segment of the path; one that cannot is told", async () => {
  const { asked, client } = scripted(good);
  for (const id of ["a/b", "?x=1#y", "日本語", "popular"]) await client().getSimilarItems(id);
  assert.deepEqual(asked.map((each) => decodeURIComponent(each.url.split("/")[5])), ["a/b", "?x=1#y", "日本語", "popular"]);
  for (const id of ["", ".", "..", "popular", "x/similar", "x/bought-together"]) {
    await assert.rejects(client().getItem(id), RangeError);
  }
});

test("pages follow each other until the last", async () => {
  const page = (cursor) => ({ body: { ...POPULAR, next_cursor: cursor } });
  const lists = scripted(page("c1"), page(null));
  let count = 0;
  for await (const _ of lists.client().recommendationPages({ user_id: "u", count: 4 })) count++;
  assert.equal(count, 2);
  assert.deepEqual(lists.asked.map((each) => each.body), [
    { user_id: "u", count: 4, paginate: true },
    { cursor: "c1", count: 4 },
  ]);
  const items = scripted(page("c1"), page(null));
  for await (const _ of items.client().itemPages({ query: "mug" }));
  assert.deepEqual(items.asked.map((each) => each.url.split("?")[1]), ["query=mug", "query=mug&cursor=c1"]);
});

test("what is not the API's JSON is a problem that says so", async () => {
  await assert.rejects(scripted({ status: 502, body: "<h1>" }).client().getPopularItems(), /502 .*expected JSON of the API, found <h1>/);
  await assert.rejects(scripted({ body: "<html>" }).client().getPopularItems(), /200 .*found <html>/);
});

test("a visitor's session is kept, and ends with signing out", async () => {
  const { asked, client } = scripted(good);
  const tracker = new Tracker(client());
  const session = tracker.sessionId;
  assert.match(session, /^[0-9a-f]{32}$/);
  await tracker.recommend({ count: 2 });
  tracker.signIn("u");
  await tracker.recommend({ count: 2 });
  await tracker.event("purchase", "i", { value: 3, quantity: 6 });
  tracker.signOut();
  assert.notEqual(tracker.sessionId, session);
  const [anonymous, signedIn, bought] = asked.map((each) => each.body);
  assert.deepEqual(anonymous, { session_id: session, count: 2 });
  assert.deepEqual(signedIn, { user_id: "u", count: 2 });
  const [{ event_id, ...event }] = bought.events;
  assert.deepEqual(event, { session_id: session, user_id: "u", type: "purchase", item_id: "i", value: 3, quantity: 6 });
  assert.ok(event_id);
});

test("an event that cannot be sent is told, and throws nothing", async () => {
  const errors = [];
  const tracker = new Tracker(scripted(problem(422)).client(), { onError: (error) => errors.push(error.status) });
  await tracker.event("hover", "i");
  assert.deepEqual(errors, [422]);
});
