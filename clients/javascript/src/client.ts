/** The API's operations as methods, for browsers and Node. Paths, parameters and answers are those of its document. */

import type { operations, paths } from "./schema.js";
import { randomId, send, type Retries, type Sender } from "./sending.js";
import type {
  AnswerOf,
  CategoryPage,
  EventOutcome,
  History,
  Item,
  ItemChange,
  ItemChangesDone,
  ItemPage,
  ItemPatch,
  ItemPut,
  Lists,
  ListsRequest,
  Method,
  Operation,
  QueryOf,
  RankedItems,
  RecentlyViewed,
  RecommendationRequest,
  Recommendations,
  RequestOf,
  ShopEvent,
  UserPage,
} from "./types.js";

export interface ClientOptions {
  /** Of the gateway, or of what stands in front of it: `http://127.0.0.1:8000`, or `/recs` of the page's own server. */
  baseUrl: string;
  /** Not in a page that everybody can read: see docs/into-your-shop.md. */
  apiKey?: string;
  /** Milliseconds, of each attempt (5000). */
  timeout?: number;
  /** 3 attempts, 100 ms before the second, 5 s at the most. */
  retries?: Partial<Retries>;
  /** In place of the platform's, for tests. */
  fetch?: typeof fetch;
  /** What waits between two attempts, for tests. */
  wait?: (milliseconds: number) => Promise<void>;
}

export interface CallOptions {
  signal?: AbortSignal;
  /** Finish the request even if the page is left meanwhile. */
  keepalive?: boolean;
}

type AnyRequest = { path?: Record<string, string>; query?: object; body?: unknown };

export class Client {
  readonly baseUrl: string;
  /** Whether requests show a key, which `sendBeacon` could not. */
  readonly hasKey: boolean;
  readonly #sender: Sender;

  constructor(options: ClientOptions) {
    this.baseUrl = options.baseUrl.replace(/\/+$/, "");
    this.hasKey = options.apiKey !== undefined;
    this.#sender = {
      fetch: options.fetch ?? ((...request) => fetch(...request)),
      headers: options.apiKey === undefined ? {} : { Authorization: `Bearer ${options.apiKey}` },
      timeout: options.timeout ?? 5000,
      retries: { attempts: 3, firstWait: 100, longestWait: 5000, ...options.retries },
      wait: options.wait ?? ((milliseconds) => new Promise((done) => setTimeout(done, milliseconds))),
    };
  }

  /** Items for a user, an anonymous session, a cart, or nobody in particular, best first. */
  recommend(request: RecommendationRequest = {}, options?: CallOptions): Promise<Recommendations> {
    return this.#ask("/v1/recommendations", "post", { body: request }, options);
  }

  /** The same list page after page, without repeating or skipping an item. */
  async *recommendationPages(request: RecommendationRequest = {}): AsyncGenerator<Recommendations, void> {
    let page = await this.recommend({ ...request, paginate: true });
    yield page;
    while (page.next_cursor) {
      page = await this.recommend({ cursor: page.next_cursor, count: request.count ?? 10 });
      yield page;
    }
  }

  /** Several lists for one page, of which none repeats an item: each chooses out of what those before it left. */
  recommendLists(request: ListsRequest, options?: CallOptions): Promise<Lists> {
    return this.#ask("/v1/lists", "post", { body: request }, options);
  }

  /** Items like an item, most similar first; 404: the model does not know it. */
  getSimilarItems(itemId: string, query: QueryOf<"/v1/items/{item_id}/similar"> = {}): Promise<RankedItems> {
    return this.#ask("/v1/items/{item_id}/similar", "get", { path: { item_id: itemId }, query });
  }

  /** What is bought together with an item, and then items like it; 404: the model does not know it. */
  getBoughtTogether(itemId: string, query: QueryOf<"/v1/items/{item_id}/bought-together"> = {}): Promise<RankedItems> {
    return this.#ask("/v1/items/{item_id}/bought-together", "get", { path: { item_id: itemId }, query });
  }

  /** The most popular items, the same for everyone. */
  getPopularItems(query: QueryOf<"/v1/items/popular"> = {}): Promise<RankedItems> {
    return this.#ask("/v1/items/popular", "get", { query });
  }

  /** What trends, and then popular items; the same for everyone. */
  getTrendingItems(query: QueryOf<"/v1/items/trending"> = {}): Promise<RankedItems> {
    return this.#ask("/v1/items/trending", "get", { query });
  }

  /**
   * Up to 1,000 events; a bad one is rejected alone. Those without an `event_id` get one before they are sent, so that
   * none counts twice; give it yourself where you send again after an error.
   */
  postEvents(events: readonly ShopEvent[], options?: CallOptions): Promise<EventOutcome> {
    const named = events.map((event) => ({ ...event, event_id: event.event_id ?? randomId() }));
    return this.#ask("/v1/events", "post", { body: { events: named } }, options);
  }

  /** Somebody signed in: what the session did, and what it will do, is the user's. */
  mergeSession(userId: string, sessionId: string) {
    const body = { session_id: sessionId };
    return this.#ask("/v1/users/{user_id}/sessions", "post", { path: { user_id: userId }, body });
  }

  /** What a user has seen, most recent first. */
  getHistory(userId: string, query: QueryOf<"/v1/users/{user_id}/history"> = {}): Promise<History> {
    return this.#ask("/v1/users/{user_id}/history", "get", { path: { user_id: userId }, query });
  }

  /** What a user or a session looked at and is on sale, most recent first; give one of the two ids. */
  listRecentlyViewed(query: QueryOf<"/v1/recently-viewed">): Promise<RecentlyViewed> {
    return this.#ask("/v1/recently-viewed", "get", { query });
  }

  /** Users that the model knows, by id. */
  listUsers(query: QueryOf<"/v1/users"> = {}): Promise<UserPage> {
    return this.#ask("/v1/users", "get", { query });
  }

  /** The same, page after page. */
  userPages(query: QueryOf<"/v1/users"> = {}): AsyncGenerator<UserPage, void> {
    return pages((cursor) => this.listUsers({ ...query, cursor }));
  }

  /** Forget a user. */
  eraseUser(userId: string) {
    return this.#ask("/v1/users/{user_id}", "delete", { path: { user_id: userId } });
  }

  /** How far the erasure of a user has come. */
  getErasure(userId: string) {
    return this.#ask("/v1/users/{user_id}/erasure", "get", { path: { user_id: userId } });
  }

  /** Items by words of the title and by category, or by `ids`. */
  listItems(query: QueryOf<"/v1/items"> = {}): Promise<ItemPage> {
    return this.#ask("/v1/items", "get", { query });
  }

  /** The same, page after page. */
  itemPages(query: QueryOf<"/v1/items"> = {}): AsyncGenerator<ItemPage, void> {
    return pages((cursor) => this.listItems({ ...query, cursor }));
  }

  /** Categories that have items on sale, with how many, by name. */
  listCategories(query: QueryOf<"/v1/categories"> = {}): Promise<CategoryPage> {
    return this.#ask("/v1/categories", "get", { query });
  }

  /** The same, page after page. */
  categoryPages(query: QueryOf<"/v1/categories"> = {}): AsyncGenerator<CategoryPage, void> {
    return pages((cursor) => this.listCategories({ ...query, cursor }));
  }

  /** One item; 404: it does not exist. */
  getItem(itemId: string): Promise<Item> {
    return this.#ask("/v1/items/{item_id}", "get", { path: { item_id: itemId } });
  }

  /** Create an item, or say anew all that there is to say of it. */
  putItem(itemId: string, item: ItemPut): Promise<ItemChangesDone> {
    return this.#ask("/v1/items/{item_id}", "put", { path: { item_id: itemId }, body: item });
  }

  /** Change a part of an item: what is not given stays, null takes away. */
  patchItem(itemId: string, patch: ItemPatch): Promise<ItemChangesDone> {
    return this.#ask("/v1/items/{item_id}", "patch", { path: { item_id: itemId }, body: patch });
  }

  /** An item that is no more. */
  deleteItem(itemId: string): Promise<ItemChangesDone> {
    return this.#ask("/v1/items/{item_id}", "delete", { path: { item_id: itemId } });
  }

  /** Up to 1,000 changes, in order, all or none. */
  changeItems(changes: ItemChange[]): Promise<ItemChangesDone> {
    return this.#ask("/v1/items/bulk", "post", { body: { changes } });
  }

  /** The live model, its offline metrics and the trainer's last run. */
  getModel() {
    return this.#ask("/v1/model", "get", {});
  }

  async #ask<P extends keyof paths, M extends Method>(
    path: P,
    method: M,
    request: RequestOf<Operation<P, M>>,
    options: CallOptions = {},
  ): Promise<AnswerOf<Operation<P, M>>> {
    const { path: ids = {}, query = {}, body } = request as AnyRequest;
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => segment(ids[name] ?? "", path));
    const url = `${this.baseUrl}${filled}${queryString(query)}`;
    const outgoing = { method: method.toUpperCase(), url, body, ...options };
    return (await send(this.#sender, outgoing)) as AnswerOf<Operation<P, M>>;
  }
}

/** Operations that a shop's code has no use for: a test of the types below fails for any other that is missing. */
type LeftOut =
  | "get_recommendations" // `recommend` asks the same, and more
  | "get_health" // for supervisors
  | "get_readiness"
  | "list_experiments" // for the shop's manager, not its code
  | "get_experiment"
  | "set_shares"
  | "stop_experiment"
  | "ship_experiment"
  | "get_rules"
  | "put_rules"
  | "get_activity"
  | "list_runs"
  | "get_run_report"
  | "activate_version"
  | "get_experiment_days";

type Camel<S extends string> = S extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : S;
type Missing = Exclude<Camel<Exclude<keyof operations, LeftOut>>, keyof Client>;

/** Does not compile while the API has an operation that is neither a method of `Client` nor left out. */
export type NothingIsMissing = Expect<[Missing] extends [never] ? true : Missing>;
type Expect<T extends true> = T;

/** An id as one segment of a path. Throws: RangeError, where the path would mean something else. */
function segment(id: string, path: string): string {
  const isTaken = path === "/v1/items/{item_id}" && /^(popular|trending)$|\/(similar|bought-together)$/.test(id);
  if (isTaken || id === "" || id === "." || id === "..") {
    throw new RangeError(`${JSON.stringify(id)} cannot stand in ${path}: items have listItems({ids}) and changeItems`);
  }
  return encodeURIComponent(id);
}

function queryString(query: object): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== undefined && each !== null && each !== "") given.append(name, String(each));
    }
  }
  const text = given.toString();
  return text === "" ? "" : `?${text}`;
}

async function* pages<P extends { next_cursor: string | null }>(
  ask: (cursor: string) => Promise<P>,
): AsyncGenerator<P, void> {
  let cursor: string | null = "";
  while (cursor !== null) {
    const page: P = await ask(cursor);
    yield page;
    cursor = page.next_cursor;
  }
}
