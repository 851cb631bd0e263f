/**
 * What a visitor does on the shop's pages, as events that name the list that they answer.
 *
 *     <ul data-recsys-list="LIST_ID">                        a list, as it was shown
 *       <li data-recsys-item="ITEM_ID"> … </li>              an item: a click on it is a view of it, from this list
 *     </ul>
 *     <main data-recsys-view="ITEM_ID"> … </main>            the page of an item: it was viewed
 *     <button data-recsys-event="cart"> … </button>          inside either: a click is this event; data-recsys-value is the
 *                                                            money of one piece, data-recsys-quantity how many
 *
 * The gateway logs a list as shown when it gives it out, so ask for a list when it is shown (`recommendWhenVisible`).
 */

import type { Client } from "./client.js";
import { Memory, type Place } from "./memory.js";
import { randomId } from "./sending.js";
import type { RecommendationRequest, Recommendations, ShopEvent } from "./types.js";

export interface TrackerOptions {
  /** Somebody who is signed in. */
  userId?: string;
  /** Where session and clicks are kept: `localStorage`; `sessionStorage` forgets them with the tab. */
  storage?: Storage;
  /** Told of an event that could not be sent; the page goes on. */
  onError?: (error: unknown) => void;
}

export class Tracker {
  readonly #client: Client;
  readonly #memory: Memory;
  readonly #onError: (error: unknown) => void;
  #userId: string | undefined;

  constructor(client: Client, options: TrackerOptions = {}) {
    this.#client = client;
    this.#memory = new Memory(options.storage ?? storageOfBrowser());
    this.#userId = options.userId;
    this.#onError = options.onError ?? ((error) => console.warn("recsys: an event was not sent", error));
  }

  /** Of this browser, until the visitor signs out. */
  get sessionId(): string {
    return this.#memory.sessionId;
  }

  /** From the next event on, what the session did and does is the user's. */
  signIn(userId: string): void {
    this.#userId = userId;
  }

  /** Somebody else may come: under another session. */
  signOut(): void {
    this.#userId = undefined;
    this.#memory.startSession();
  }

  /** A list for the visitor. */
  recommend(request: RecommendationRequest = {}): Promise<Recommendations> {
    const visitor = this.#userId === undefined ? { session_id: this.sessionId } : { user_id: this.#userId };
    return this.#client.recommend({ ...visitor, ...request });
  }

  /** The same, asked for when the element comes into sight: a list that nobody scrolls to is not logged as shown. */
  async recommendWhenVisible(element: Element, request: RecommendationRequest = {}): Promise<Recommendations> {
    await new Promise<void>((done) => {
      const observer = new IntersectionObserver((entries) => {
        if (!entries.some((entry) => entry.isIntersecting)) return;
        observer.disconnect();
        done();
      });
      observer.observe(element);
    });
    return this.recommend(request);
  }

  /** The page of an item was opened. After a click on a list it is the same view, and counts once. */
  view(itemId: string): Promise<void> {
    const click = this.#memory.click(itemId);
    if (click === undefined || click.isFollowed) return this.event("view", itemId);
    this.#memory.keep(itemId, { ...click, isFollowed: true });
    return this.#send({ type: "view", item_id: itemId, ...placeOf(click), event_id: click.event_id });
  }

  /** Something that the visitor did with an item; it answers the list that the item was last clicked in. */
  event(type: string, itemId: string, more: Partial<ShopEvent> = {}): Promise<void> {
    const click = this.#memory.click(itemId);
    return this.#send({ type, item_id: itemId, ...(click && placeOf(click)), event_id: randomId(), ...more });
  }

  /** Read the attributes above in this part of the page, also of what is added to it later. Returns what ends it. */
  track(root: Document | Element = document): () => void {
    const clicked = (event: Event) => this.#clicked(event);
    root.addEventListener("click", clicked, { capture: true });
    root.addEventListener("auxclick", clicked, { capture: true }); // the middle button opens a tab
    for (const page of root.querySelectorAll<HTMLElement>("[data-recsys-view]")) {
      void this.view(page.dataset["recsysView"] ?? "");
    }
    return () => {
      root.removeEventListener("click", clicked, { capture: true });
      root.removeEventListener("auxclick", clicked, { capture: true });
    };
  }

  #clicked(event: Event): void {
    const target = event.target instanceof Element ? event.target : undefined;
    const item = target?.closest<HTMLElement>("[data-recsys-item], [data-recsys-view]");
    const itemId = item?.dataset["recsysItem"] ?? item?.dataset["recsysView"];
    if (!target || !item || !itemId || (event instanceof MouseEvent && event.button > 1)) return;
    const place = placeIn(item);
    const button = target.closest<HTMLElement>("[data-recsys-event]");
    const type = button && item.contains(button) ? button.dataset["recsysEvent"] : place && "view";
    if (!type) return; // somewhere on an item that is in no list
    const event_id = randomId();
    if (place) this.#memory.keep(itemId, { ...place, event_id, isFollowed: type !== "view", at: Date.now() });
    const { recsysValue: value, recsysQuantity: quantity } = button?.dataset ?? {};
    void this.event(type, itemId, {
      ...(value === undefined ? {} : { value: Number(value) }),
      ...(quantity === undefined ? {} : { quantity: Number(quantity) }),
      event_id,
    });
  }

  async #send(event: ShopEvent): Promise<void> {
    const visitor: Partial<ShopEvent> = { session_id: this.sessionId };
    if (this.#userId !== undefined) visitor.user_id = this.#userId;
    const events = [{ ...visitor, ...event }];
    if (this.#handedToBeacon(events)) return;
    try {
      await this.#client.postEvents(events, { keepalive: true });
    } catch (error) {
      this.#onError(error);
    }
  }

  /**
   * Where the browser cannot finish a request after its page (no `keepalive`), a beacon can. Not with a key, which it
   * does not show, and not to another origin: a beacon brings cookies, which the gateway allows no page to send.
   */
  #handedToBeacon(events: ShopEvent[]): boolean {
    if ("keepalive" in Request.prototype || this.#client.hasKey || !("sendBeacon" in navigator)) return false;
    const url = new URL(`${this.#client.baseUrl}/v1/events`, location.href);
    const body = new Blob([JSON.stringify({ events })], { type: "application/json" });
    return url.origin === location.origin && navigator.sendBeacon(url, body);
  }
}

/** Where an item stands in its list; undefined: it is in none. */
function placeIn(item: HTMLElement): Place | undefined {
  const list = item.closest<HTMLElement>("[data-recsys-list]");
  if (!list?.dataset["recsysList"]) return undefined;
  const said = Number(item.dataset["recsysPosition"]); // where a page shows a part of a list
  const position = said || [...list.querySelectorAll("[data-recsys-item]")].indexOf(item) + 1;
  return { list_id: list.dataset["recsysList"], position };
}

function placeOf(place: Place): Place {
  return { list_id: place.list_id, position: place.position };
}

function storageOfBrowser(): Storage | undefined {
  try {
    return globalThis.localStorage;
  } catch {
    return undefined; // blocked
  }
}
