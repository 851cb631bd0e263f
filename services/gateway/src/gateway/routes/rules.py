"""The shop-wide rules: what they are, and writing them anew."""

from http import HTTPStatus

from fastapi import HTTPException

from gateway.http.access import needs
from gateway.http.problems import documented
from gateway.lists.rules import RulesDocument
from gateway.routes.dependencies import TheParts, keyed_router
from recsys.errors import DataError

router = keyed_router("/v1/rules", tag="rules")


@router.get("", openapi_extra=needs("read"))
async def get_rules(parts: TheParts) -> RulesDocument:
    """The rules of every list, as the file says now; none where there is no file."""
    return RulesDocument(rules=list(parts.rules.all))


@router.put("", responses=documented(HTTPStatus.CONFLICT), openapi_extra=needs("admin"))
async def put_rules(body: RulesDocument, parts: TheParts) -> RulesDocument:
    """Replace all rules. The file is replaced whole, without its comments; every gateway that reads it follows.

    409 where there is no file, or the gateway may not write it: nothing was changed then.
    """
    try:
        await parts.rules.save(body)
    except DataError as error:
        raise HTTPException(HTTPStatus.CONFLICT, str(error)) from error
    return RulesDocument(rules=list(parts.rules.all))
