"""The application: routes, errors, request ids and the OpenAPI document, put together."""

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.cors import CORSMiddleware

from gateway.clients import Clients
from gateway.http import access, docs_page, problems
from gateway.http.access import Access
from gateway.http.admission import AdmissionMiddleware
from gateway.http.body_limit import BodyLimitMiddleware
from gateway.http.http_protocol import ARRIVES_WITHIN_S
from gateway.http.metrics import GatewayMetrics
from gateway.http.request_context import RequestContextMiddleware
from gateway.lists.fallbacks import Fallbacks
from gateway.lists.list_cursors import ListCursors
from gateway.lists.popular_list import PopularList
from gateway.lists.recommend import Recommender
from gateway.lists.rules import ShopRules
from gateway.routes import (
    activity,
    categories,
    events,
    experiments,
    health,
    items,
    model,
    recently_viewed,
    recommendations,
    runs,
    users,
)
from gateway.routes import rules as rules_routes
from gateway.routes.dependencies import Parts
from gateway.routes.quick_lists import quick_routes
from gateway.settings import Settings
from gateway.shop.live_shop import LiveShop

_DESCRIPTION = """
Recommendations from a shop's own events.

- Ids are the shop's own, percent-encoded in paths: `a/b` is `a%2Fb`.
- Every answer names the artifact version, that is the trained model, that gave it.
- Every error is `application/problem+json` (RFC 9457).
- `X-Request-ID` is accepted, or made, and returned; it stands in the log lines that a request caused.
"""


def create_app(
    settings: Settings,
    clients: Clients,
    live: LiveShop,
    *,
    guard: Access,
    metrics: GatewayMetrics,
    popular: PopularList,
    rules: ShopRules | None = None,
) -> FastAPI:
    """A stateless application; whoever made its parts lets them follow what they follow, and closes them."""
    rules = rules or ShopRules()
    app = FastAPI(
        title="Recommendations",
        version="1",
        description=_DESCRIPTION,
        docs_url=None,  # ours is in docs_page
        redoc_url=None,
        redirect_slashes=False,  # an id may end in a slash
        generate_unique_id_function=_operation_id,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # looked for in each request; ours is in http
    )
    app.state.access = guard
    app.state.parts = Parts(
        settings=settings,
        clients=clients,
        live=live,
        popular=popular,
        recommender=Recommender(clients, settings, live, Fallbacks(live, popular), rules),
        cursors=ListCursors(settings.cursor_key.get_secret_value()),
        rules=rules,
        events=metrics.events,
    )
    metrics.follow(clients, live)
    # Recommendations first: /v1/items/popular, …/similar and …/bought-together would be ids to /v1/items/{item_id}.
    for routes in (
        recommendations,
        recently_viewed,
        events,
        items,
        categories,
        users,
        experiments,
        rules_routes,
        activity,
        model,
        runs,
        health,
    ):
        app.include_router(routes.router)
    app.router.routes[:0] = quick_routes(recommendations.router)
    app.add_middleware(BodyLimitMiddleware, max_body_bytes=settings.max_body_bytes, arrives_within_s=ARRIVES_WITHIN_S)
    app.add_middleware(AdmissionMiddleware, max_in_flight=settings.max_in_flight)
    if settings.cors_origins:  # around admission: a page's script may read its 429 too
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
            expose_headers=["X-Request-ID", "Retry-After"],
        )
    app.add_middleware(RequestContextMiddleware, metrics=metrics)
    docs_page.install(app)
    problems.install(app)
    problems.add_to_document(app)
    access.add_to_document(app)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name
