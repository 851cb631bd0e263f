// What a shop's back end in Node does for one visitor: a list, the click on it, the purchase, and the next list.
// Run: node back_end.mjs http://127.0.0.1:8000 [API key: read, events]
import { randomUUID } from "node:crypto";

import { Client } from "../dist/index.js"; // from "recsys-client", where it is installed

const [baseUrl, apiKey] = process.argv.slice(2);
const recsys = new Client({ baseUrl, timeout: 2000, ...(apiKey && { apiKey }) });
const session_id = `example-${randomUUID()}`; // of the visitor's cookie

const shown = await recsys.recommend({ session_id, count: 3 });
shown.items.forEach((item, place) => console.log(place + 1, item.item_id, item.title));

const clicked = { session_id, item_id: shown.items[0].item_id, list_id: shown.list_id, position: 1 };
const outcome = await recsys.postEvents([
  { ...clicked, type: "view" },
  { ...clicked, type: "purchase", value: 12.5 },
]);
console.log("accepted:", outcome.accepted);

const next = await recsys.recommend({ session_id, count: 3 });
console.log("bought item recommended again:", next.items.some((item) => item.item_id === clicked.item_id));

let items = 0;
for await (const page of recsys.itemPages({ page_size: 5 })) items += page.items.length;
console.log("items:", items);
