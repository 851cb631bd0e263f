"""What `FakeGateway` answers to each operation: arguments as the request has them in, JSON out."""

import base64
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx

from recsys_client.testing.fake_shop import VERSION, FakeProblemError, FakeShop, Json

_TRAINED_AT: Final = "2025-01-01T00:00:00Z"


class FakeOperations:
    """The operations of the API over a shop in memory."""

    def __init__(self, shop: FakeShop) -> None:
        self._shop = shop
        self._rests: dict[str, Json] = {}  # cursor → the rest of a list

    def routes(self) -> list[tuple[str, str, Callable[..., Json]]]:
        """As the API has them, and in its order."""
        shop = self._shop
        return [
            ("POST", "/v1/recommendations", self._recommend),
            ("POST", "/v1/lists", self._lists),
            ("GET", "/v1/items/popular", self._popular),
            ("GET", "/v1/items/trending", self._popular),
            ("GET", "/v1/items/([^/]+)/similar", self._similar),
            ("GET", "/v1/items/([^/]+)/bought-together", self._similar),  # as of a shop that has no baskets
            ("GET", "/v1/recently-viewed", self._recently_viewed),
            ("POST", "/v1/events", lambda body: shop.take_events(body["events"])),
            ("GET", "/v1/items", self._list_items),
            ("GET", "/v1/items/([^/]+)", lambda item_id, _: shop.item(item_id) | {"artifact_version": VERSION}),
            ("POST", "/v1/items/bulk", lambda body: shop.change_items(body["changes"])),
            ("PUT", "/v1/items/([^/]+)", lambda item_id, body: _changed(shop, item_id, "put", body)),
            ("PATCH", "/v1/items/([^/]+)", lambda item_id, body: _changed(shop, item_id, "patch", body)),
            ("DELETE", "/v1/items/([^/]+)", lambda item_id, _: _changed(shop, item_id, "delete", {})),
            ("GET", "/v1/categories", self._list_categories),
            ("GET", "/v1/users", self._list_users),
            ("GET", "/v1/users/([^/]+)/history", self._history),
            ("POST", "/v1/users/([^/]+)/sessions", self._merge),
            ("GET", "/v1/users/([^/]+)/erasure", self._erasure),
            ("DELETE", "/v1/users/([^/]+)", lambda user_id, _: shop.erase(user_id)),
            ("GET", "/v1/model", self._model),
        ]

    def _recommend(self, body: Json) -> Json:
        count = _count(body, "count", where="body")
        if "cursor" in body:
            if body["cursor"] not in self._rests:
                raise FakeProblemError(400, "the cursor is not one that this API gave out")
            return self._page(self._rests[body["cursor"]], count)
        user_id, session_id = body.get("user_id"), body.get("session_id")
        if user_id is not None and session_id is not None:
            raise FakeProblemError(422, "body: give one of user_id and session_id")
        events = self._shop.seen_by(user_id, session_id)
        without = set(body.get("item_ids", ()))
        excluded = body.get("exclude_seen", True)
        if excluded:
            without |= {each["item_id"] for each in events if excluded is True or each["type"] in excluded}
        user_id = user_id or self._shop.user_of_session.get(session_id or "")
        items = self._shop.ranked(without=without, conditions=body.get("filter", {}), source="popular")
        if body.get("explain"):
            items = [item | {"explanation": _explanation(item, rank)} for rank, item in enumerate(items, start=1)]
        rest = {
            "items": items,
            "matching": len(items),
            "user_id": user_id,
            "session_id": None if user_id else session_id,
            "preview": body.get("preview", False),
            "paginate": body.get("paginate", False),
            "known": bool(events),
            "vector": "folded_in" if events or body.get("item_ids") else "none",
            "dropped": {} if body.get("explain") else None,
        }
        return self._page(rest, count)

    def _page(self, rest: Json, count: int) -> Json:
        shown, left = rest["items"][:count], rest["items"][count:]
        list_id = self._shop.expose(
            (each["item_id"] for each in shown),
            user_id=rest["user_id"],
            session_id=rest["session_id"],
            preview=rest["preview"],
        )
        cursor = None
        if rest["paginate"] and left:
            cursor = f"rest-{len(self._rests)}"
            self._rests[cursor] = rest | {"items": left}
        subject = {"user_id": rest["user_id"], "session_id": rest["session_id"]}
        return _ranked(shown) | {
            "list_id": list_id,
            "request_id": list_id,
            "subject": subject if any(subject.values()) else None,
            "vector": rest["vector"],
            "user_known": rest["known"],
            "fill": {"asked": count, "returned": len(shown), "matching": rest["matching"]},
            "dropped": rest["dropped"],
            "experiment": None,
            "next_cursor": cursor,
            "preview": rest["preview"],
        }

    def _lists(self, body: Json) -> Json:
        shown: list[str] = []
        lists = []
        subject = {name: body[name] for name in ("user_id", "session_id") if name in body}
        for wanted in body["lists"]:
            conditions = dict(wanted.get("filter", {}))
            conditions["exclude_item_ids"] = [*conditions.get("exclude_item_ids", ()), *shown]
            answer = self._list(wanted, conditions, subject | {"preview": body.get("preview", False)})
            shown += [item["item_id"] for item in answer["items"]]
            lists.append(answer | {"name": wanted["name"]})
        return {"request_id": uuid.uuid4().hex, "lists": lists, "preview": body.get("preview", False)}

    def _list(self, wanted: Json, conditions: Json, whose: Json) -> Json:
        count = _count(wanted, "count", where="body.lists")
        kind = wanted.get("kind", "recommended")
        if kind == "recommended":
            asked = {"item_ids": wanted.get("item_ids", []), "count": count, "filter": conditions}
            answer = self._recommend(whose | asked)
            return {name: answer[name] for name in ("artifact_version", "items", "level", "degraded", "list_id")}
        item_id = wanted.get("item_id", "")
        source = "similar" if item_id in self._shop.items else "popular"
        items = self._shop.ranked(without={item_id}, conditions=conditions, source=source)[:count]
        list_id = self._shop.expose(
            (item["item_id"] for item in items),
            user_id=whose.get("user_id"),
            session_id=whose.get("session_id"),
            preview=whose["preview"],
        )
        return _ranked(items) | {"list_id": list_id}

    def _popular(self, asked: httpx.QueryParams) -> Json:
        items = self._shop.ranked(without=set(), conditions=_categories(asked), source="popular")
        return _ranked(items[: _count(asked, "count")])

    def _similar(self, item_id: str, asked: httpx.QueryParams) -> Json:
        self._shop.item(item_id)
        items = self._shop.ranked(without={item_id}, conditions=_categories(asked), source="similar")
        return _ranked(items[: _count(asked, "count")])

    def _list_items(self, asked: httpx.QueryParams) -> Json:
        items = self._shop.items
        if "ids" in asked:
            found = [items[item_id] for item_id in asked.get_list("ids") if item_id in items]
            return {"artifact_version": VERSION, "items": found, "next_cursor": None}
        words, category = asked.get("query", "").lower().split(), asked.get("category", "")
        named = [
            item_id
            for item_id, item in items.items()
            if all(word in (item["title"] or "").lower() for word in words) and category in ("", item["category"])
        ]
        page, cursor = _page_of(named, asked)
        return {"artifact_version": VERSION, "items": [items[item_id] for item_id in page], "next_cursor": cursor}

    def _list_categories(self, asked: httpx.QueryParams) -> Json:
        on_sale = (item["category"] for item in self._shop.items.values() if item["available"])
        counts = Counter(category for category in on_sale if category)
        page, cursor = _page_of(counts, asked)
        categories = [{"category": category, "item_count": counts[category]} for category in page]
        return {"artifact_version": VERSION, "categories": categories, "next_cursor": cursor}

    def _list_users(self, asked: httpx.QueryParams) -> Json:
        items_of: dict[str, set[str]] = {}
        for event in self._shop.events:
            if event["user_id"] is not None and event["user_id"].startswith(asked.get("prefix", "")):
                items_of.setdefault(event["user_id"], set()).add(event["item_id"])
        page, cursor = _page_of(items_of, asked)
        users = [{"user_id": user_id, "history_size": len(items_of[user_id])} for user_id in page]
        return {"artifact_version": VERSION, "users": users, "next_cursor": cursor}

    def _history(self, user_id: str, asked: httpx.QueryParams) -> Json:
        last: dict[str, Json] = {}
        for event in self._shop.seen_by(user_id, None):
            last.setdefault(event["item_id"], event)
        gone = dict.fromkeys(("title", "category", "price", "image_url")) | {"available": False, "attributes": {}}
        items = [
            {"item_id": item_id, **gone, **self._shop.items.get(item_id, {})}
            | {"event_type": event["type"], "last_event_at": event["at"]}
            for item_id, event in last.items()
        ]
        return {
            "artifact_version": VERSION,
            "user_known": bool(items),
            "total": len(items),
            "items": items[: _count(asked, "count", 20)],
            "degraded": False,
        }

    def _recently_viewed(self, asked: httpx.QueryParams) -> Json:
        if ("user_id" in asked) == ("session_id" in asked):
            raise FakeProblemError(400, "expected one of user_id and session_id")
        last: dict[str, Json] = {}
        for event in self._shop.seen_by(asked.get("user_id"), asked.get("session_id")):
            if event["type"] == asked.get("event_type", "view"):
                last.setdefault(event["item_id"], event)
        items = [
            {"item_id": item_id, **self._shop.items[item_id], "event_type": event["type"], "last_event_at": event["at"]}
            for item_id, event in last.items()
            if self._shop.items.get(item_id, {}).get("available")
        ]
        return {"artifact_version": VERSION, "items": items[: _count(asked, "count", 10)], "degraded": False}

    def _merge(self, user_id: str, body: Json) -> Json:
        moved = self._shop.merge(body["session_id"], user_id)
        return {"user_id": user_id, "session_id": body["session_id"], "moved_events": moved}

    def _erasure(self, user_id: str, _: object) -> Json:
        if user_id not in self._shop.erasures:
            raise FakeProblemError(404, f"user {user_id!r} was never erased")
        return self._shop.erasures[user_id]

    def _model(self, _: object) -> Json:
        service = {"artifact_version": VERSION, "held_versions": [VERSION], "refused": None}
        return {
            "artifact_version": VERSION,
            "model": "popularity",
            "dim": 0,
            "user_count": 0,
            "item_count": len(self._shop.items),
            "trained_at": _TRAINED_AT,
            "metrics": [],
            "services": {"candidate_gen": service, "reranker": service},
            "last_run": None,
        }


def _changed(shop: FakeShop, item_id: str, op: str, body: Json) -> Json:
    return shop.change_items([body | {"op": op, "item_id": item_id}])


def _explanation(item: Json, rank: int) -> Json:
    source = {"source": "popular", "rank": rank, "score": item["score"]}
    nothing = {"personal_score": 0.0, "terms": [], "contributions": [], "rules": [], "comes_after": []}
    return nothing | {"sources": [source], "rank_by_score": rank}


def _ranked(items: list[Json]) -> Json:
    return {"artifact_version": VERSION, "items": items, "level": "full", "degraded": False}


def _categories(asked: httpx.QueryParams) -> Json:
    return {"categories": asked.get_list("category")}


def _count(asked: Mapping[str, Any], name: str, default: int = 10, *, where: str = "query") -> int:
    count = int(asked.get(name, default))
    if not 1 <= count <= 100:
        bound = "greater than or equal to 1" if count < 1 else "less than or equal to 100"
        message = f"Input should be {bound}, found {asked[name]!r}"
        field = {"location": f"{where}.{name}", "message": message}
        raise FakeProblemError(422, f"{where}.{name}: {message}", errors=[field])
    return count


def _page_of(ids: Mapping[str, Any] | list[str], asked: httpx.QueryParams) -> tuple[list[str], str | None]:
    """The ids of a page, in order, and the cursor of the next one, which marks the last id."""
    after = base64.urlsafe_b64decode(asked.get("cursor", "")).decode()
    page_size = _count(asked, "page_size", 20)
    left = sorted(each for each in ids if each > after)
    has_more = len(left) > page_size
    page = left[:page_size]
    return page, base64.urlsafe_b64encode(page[-1].encode()).decode() if has_more else None
