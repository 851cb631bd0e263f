"""Every request to the gateway: arguments in, parsed answers out, and whatever goes wrong as a sentence."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

import httpx
import streamlit as st
from pydantic import BaseModel, ValidationError

from ui import metrics
from ui.models import (
    Activated,
    Activity,
    EventOutcome,
    Experiment,
    ExperimentCourse,
    ExperimentList,
    ExperimentReport,
    History,
    Item,
    ItemPage,
    ItemsChanged,
    Model,
    Ranking,
    Recommendations,
    Rule,
    Rules,
    RunList,
    RunReport,
    UserPage,
)
from ui.settings import Settings
from ui.visitor import Visitor


class GatewayError(Exception):
    """The gateway gave no usable answer.

    Attributes:
        sentence: what happened, for the visitor
        request_id: the gateway's name for the request in its log, where it gave one
        status: of the HTTP answer, where there was one
    """

    def __init__(self, sentence: str, *, request_id: str | None = None, status: int | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.request_id = request_id
        self.status = status


class Problem(BaseModel):
    """The part of an RFC 9457 answer that a person reads."""

    title: str | None = None
    detail: str | None = None
    request_id: str | None = None


class GatewayClient:
    """The REST API. Every method raises `GatewayError` and nothing else; thread-safe."""

    def __init__(self, http_client: httpx.Client) -> None:
        self._http = http_client

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def users(self, *, prefix: str, page_size: int) -> UserPage:
        """Users that the model knows whose id starts with `prefix`, by id."""
        return self._get(UserPage, "/v1/users", prefix=prefix, page_size=page_size)

    def recommendations(
        self,
        visitor: Visitor,
        *,
        count: int,
        include_seen: bool,
        preview: bool,
        rules: Sequence[Rule] = (),
        request_id: str | None = None,
    ) -> Recommendations:
        """Items for a user or a session, each with its explanation; popular ones where nothing is known yet.

        A `preview` is looked at only: the gateway does not log it as an exposure of the visitor. `rules` hold for this
        one list, after those of the shop. Lists of one `request_id` try the same unknown item, where chance has them.
        """
        how = {"count": count, "exclude_seen": not include_seen, "explain": True, "preview": preview}
        asked = {**visitor.fields, **how, **({"rules": _told(rules)} if rules else {})}
        headers = {"X-Request-ID": request_id} if request_id else {}
        request = self._http.build_request("POST", "/v1/recommendations", json=asked, headers=headers)
        return self._ask(Recommendations, request)

    def post_event(
        self,
        visitor: Visitor,
        item_id: str,
        *,
        event_type: str,
        value: float | None,
        list_id: str | None,
        position: int | None,
    ) -> EventOutcome:
        """What the visitor did with an item; `list_id` and `position` say which list showed it, and where."""
        given = {"item_id": item_id, "type": event_type, "value": value, "list_id": list_id, "position": position}
        event = visitor.fields | {name: value for name, value in given.items() if value is not None}
        return self._send(EventOutcome, "/v1/events", event)

    def history(self, user_id: str, *, count: int) -> History:
        """What the user has seen; empty for a user that the model does not know."""
        return self._get(History, f"/v1/users/{_segment(user_id)}/history", count=count)

    def similar(self, item_id: str, *, count: int) -> Ranking:
        """Items like this one."""
        return self._get(Ranking, f"/v1/items/{_segment(item_id)}/similar", count=count)

    def bought_together(self, item_id: str, *, count: int) -> Ranking:
        """What is bought together with this item, and then items like it."""
        return self._get(Ranking, f"/v1/items/{_segment(item_id)}/bought-together", count=count)

    def search(self, *, query: str, category: str, page_size: int, cursor: str) -> ItemPage:
        """Items by words of the title and by exact category; an empty string means any, or the first page."""
        return self._get(ItemPage, "/v1/items", query=query, category=category, page_size=page_size, cursor=cursor)

    def item(self, item_id: str) -> Item:
        """One item of the catalogue."""
        return self._get(Item, f"/v1/items/{_segment(item_id)}")

    def model(self) -> Model:
        """The live model."""
        return self._get(Model, "/v1/model")

    def items(self, item_ids: Sequence[str]) -> ItemPage:
        """Those of these items, at most 100, that the catalogue has."""
        return self._get(ItemPage, "/v1/items", ids=list(item_ids))

    def activity(self) -> Activity:
        """What happened in the shop, day by day."""
        return self._get(Activity, "/v1/activity")

    def runs(self, *, count: int) -> RunList:
        """The trainer's newest runs."""
        return self._get(RunList, "/v1/runs", count=count)

    def run_report(self, version: str) -> RunReport:
        """What a run measured."""
        return self._get(RunReport, f"/v1/runs/{_segment(version)}/report")

    def activate(self, version: str, *, key: str) -> Activated:
        """Make a kept version the live one."""
        return self._send(Activated, "/v1/model/activate", {"artifact_version": version}, key=key)

    def experiments(self) -> ExperimentList:
        """The experiments of the file, as they are now."""
        return self._get(ExperimentList, "/v1/experiments")

    def experiment(self, name: str) -> ExperimentReport:
        """What one experiment has shown."""
        return self._get(ExperimentReport, f"/v1/experiments/{_segment(name)}")

    def experiment_days(self, name: str) -> ExperimentCourse:
        """How one experiment went, day by day."""
        return self._get(ExperimentCourse, f"/v1/experiments/{_segment(name)}/days")

    def set_shares(self, name: str, shares: Mapping[str, float], *, key: str) -> Experiment:
        """Give arms their shares. This and the other writes need the scope admin; `key`, where given, has it."""
        return self._send(Experiment, f"/v1/experiments/{_segment(name)}/shares", {"shares": dict(shares)}, key=key)

    def stop(self, name: str, *, key: str) -> Experiment:
        """Put nobody into the experiment any more, for good."""
        return self._send(Experiment, f"/v1/experiments/{_segment(name)}/stop", None, key=key)

    def ship(self, name: str, arm: str, *, key: str) -> Experiment:
        """End the experiment, and make this arm's settings everybody's."""
        return self._send(Experiment, f"/v1/experiments/{_segment(name)}/ship", {"arm": arm}, key=key)

    def put_on_sale(self, item_id: str, *, available: bool, key: str) -> ItemsChanged:
        """Take an item off sale, or put it back."""
        path = f"/v1/items/{_segment(item_id)}"
        return self._send(ItemsChanged, path, {"available": available}, key=key, method="PATCH")

    def rules(self) -> Rules:
        """The rules of every list."""
        return self._get(Rules, "/v1/rules")

    def put_rules(self, rules: Sequence[Rule], *, key: str) -> Rules:
        """Replace the rules of every list."""
        return self._send(Rules, "/v1/rules", {"rules": _told(rules)}, key=key, method="PUT")

    def _get[A: BaseModel](self, answer: type[A], path: str, **params: str | int | bool | list[str]) -> A:
        given = {name: value for name, value in params.items() if value != ""}
        try:
            request = self._http.build_request("GET", path, params=given)
        except httpx.InvalidURL as error:
            raise GatewayError("What is asked for is too long for the recommendation service.") from error
        return self._ask(answer, request)

    def _send[A: BaseModel](
        self, answer: type[A], path: str, body: Mapping[str, object] | None, *, key: str = "", method: str = "POST"
    ) -> A:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return self._ask(answer, self._http.build_request(method, path, json=body, headers=headers))

    def _ask[A: BaseModel](self, answer: type[A], request: httpx.Request) -> A:
        try:
            with metrics.call() as ended:
                response = ended(self._http.send(request))
        except httpx.TimeoutException as error:
            raise GatewayError("The recommendation service took too long to answer. Please try again.") from error
        except httpx.ConnectError as error:
            raise GatewayError(
                f"The recommendation service at {self._http.base_url} cannot be reached. Is it running?"
            ) from error
        except httpx.RequestError as error:
            raise GatewayError("The connection to the recommendation service broke off. Please try again.") from error
        if not response.is_success:
            raise _error(response)
        try:
            return answer.model_validate_json(response.content)
        except ValidationError as error:
            raise GatewayError(
                f"The recommendation service's answer to {request.url.path} is not one that this page understands; "
                "the two may be of different releases."
            ) from error


@st.cache_resource(show_spinner=False)
def gateway() -> GatewayClient:
    """The process's one client, shared by all visitors."""
    settings = Settings()
    headers = {"Authorization": f"Bearer {settings.api_key.get_secret_value()}"} if settings.api_key else {}
    return GatewayClient(httpx.Client(base_url=str(settings.gateway_url), headers=headers, timeout=settings.timeout_s))


def _told(rules: Sequence[Rule]) -> list[dict[str, object]]:
    return [rule.model_dump(exclude_none=True) for rule in rules]


def _segment(external_id: str) -> str:
    """An id as one path segment. Dots too: a client resolves `..` before it sends the path."""
    return quote(external_id, safe="").replace(".", "%2E")


def _error(response: httpx.Response) -> GatewayError:
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:
        problem = Problem()
    reason = problem.detail or problem.title
    if reason is None:
        status = f"{response.status_code} {response.reason_phrase}".strip()
        reason = f"the recommendation service answered {status} without saying why"
    elif response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        reason = f"recommendations are not available at the moment: {reason}"
    return GatewayError(_sentence(reason), request_id=problem.request_id, status=response.status_code)


def _sentence(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
