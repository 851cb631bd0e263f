"""The gateway: whether it answers, lets this key in, is ready, and all services hold one version; and the clocks."""

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from recsys_cli import api
from recsys_cli.doctor.finding import Finding, good, warning, wrong

_TIMEOUT_S: Final = 5.0
_CLOCKS_APART_S: Final = 5.0


def look(api_key: str | None) -> Iterator[Finding]:
    """What is to say of the API at RECSYS_URL."""
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    with httpx.Client(base_url=api.url(), timeout=_TIMEOUT_S, headers=headers) as client:
        try:
            ready, model = client.get("/readyz"), client.get("/v1/model")
        except httpx.HTTPError as error:
            yield wrong(
                "gateway",
                f"{api.url()}: {str(error) or type(error).__name__}",
                mend="start it (make demo, docker compose up), or say where it is: RECSYS_URL",
            )
            return
        if not ready.headers.get("X-Request-ID"):
            yield wrong(
                "gateway",
                f"something else answers at {api.url()}",
                mend="set RECSYS_URL, or free that port for the gateway",
            )
            return
        yield _readiness(ready)
        yield from _clock(ready)
        yield from _model(model)


def _readiness(answer: httpx.Response) -> Finding:
    if answer.status_code == httpx.codes.OK and answer.json()["status"] == "ready":
        return good("gateway", f"{api.url()} is ready")
    detail = answer.json().get("detail", "degraded: a service is unavailable, popular items are answered")
    return wrong("gateway", detail, mend="look at the log of the service that it names; recsys versions: is one live?")


def _clock(answer: httpx.Response) -> Iterator[Finding]:
    if "Date" not in answer.headers:
        return
    apart_s = abs((datetime.now(UTC) - parsedate_to_datetime(answer.headers["Date"])).total_seconds())
    if apart_s > _CLOCKS_APART_S:
        yield warning("clock", f"this clock and the gateway's are {apart_s:,.0f} s apart", mend="run NTP on both")
    else:
        yield good("clock", "this clock and the gateway's agree")


def _model(answer: httpx.Response) -> Iterator[Finding]:
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        yield warning("key", str(answer.json()["detail"]), mend="RECSYS_API_KEY: a key with the scope read")
        return
    if answer.status_code != httpx.codes.OK:
        yield wrong("model", str(answer.json()["detail"]), mend="look at the services' logs")
        return
    yield from _services(answer.json())


def _services(model: dict[str, Any]) -> Iterator[Finding]:
    answered = {service: held["artifact_version"] for service, held in model["services"].items()}
    if len(set(answered.values())) > 1:
        yield warning(
            "versions",
            "services answer by different versions: " + ", ".join(f"{name} {one}" for name, one in answered.items()),
            mend="wait some seconds; where it stays so, the log of the one behind says why",
        )
    else:
        yield good("versions", f"every service answers by {model['artifact_version']}")
    for service, held in model["services"].items():
        if held["refused"]:
            yield wrong(
                "versions",
                f"{service} refused a version: {held['refused']}",
                mend="recsys activate a sound one, or recsys train; update the service where the format is newer",
            )
