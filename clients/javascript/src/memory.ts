/** What a browser keeps between pages: the visitor's session, and from which list an item was last clicked. */

import { randomId } from "./sending.js";

/** The place of an item in a list that was shown. */
export interface Place {
  list_id: string;
  position: number;
}

export interface Click extends Place {
  /** Of the event that the click sent. */
  event_id: string;
  /** Whether the page of the item was seen after it. */
  isFollowed: boolean;
  /** Unix milliseconds. */
  at: number;
}

const SESSION = "recsys.session";
const CLICKS = "recsys.clicks";
const KEPT_CLICKS = 200;
const KEPT_FOR_MS = 7 * 24 * 3600 * 1000; // as long as a click counts for its list, by default

/** A `Storage` that may refuse (private windows, blocked cookies, full): then this page alone remembers. */
export class Memory {
  readonly #storage: Storage | undefined;
  readonly #ofThisPage = new Map<string, string>();

  constructor(storage: Storage | undefined) {
    this.#storage = storage;
  }

  /** Random, and made when it is first asked for. */
  get sessionId(): string {
    return this.#read(SESSION) ?? this.startSession();
  }

  /** Another visitor from now on. */
  startSession(): string {
    const id = randomId();
    this.#write(SESSION, id);
    this.#write(CLICKS, "{}");
    return id;
  }

  click(itemId: string): Click | undefined {
    const found = this.#clicks()[itemId];
    return found && found.at > Date.now() - KEPT_FOR_MS ? found : undefined;
  }

  keep(itemId: string, click: Click): void {
    const others = Object.entries(this.#clicks()).filter(([other]) => other !== itemId);
    this.#write(CLICKS, JSON.stringify(Object.fromEntries([...others, [itemId, click]].slice(-KEPT_CLICKS))));
  }

  #clicks(): Record<string, Click> {
    try {
      return JSON.parse(this.#read(CLICKS) ?? "{}") as Record<string, Click>;
    } catch {
      return {};
    }
  }

  #read(name: string): string | undefined {
    try {
      return this.#storage?.getItem(name) ?? this.#ofThisPage.get(name);
    } catch {
      return this.#ofThisPage.get(name);
    }
  }

  #write(name: string, value: string): void {
    this.#ofThisPage.set(name, value);
    try {
      this.#storage?.setItem(name, value);
    } catch {
      // this page alone remembers
    }
  }
}
