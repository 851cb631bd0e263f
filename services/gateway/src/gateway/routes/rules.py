"""The shop-wide rules: what they are, and saving them anew."""

from gateway.http.access import needs
from gateway.lists.rules import RulesDocument
from gateway.routes.dependencies import TheParts, TheStore, keyed_router

router = keyed_router("/v1/rules", tag="rules")


@router.get("", openapi_extra=needs("read"))
async def get_rules(parts: TheParts) -> RulesDocument:
    """The rules of every list: those that were saved last, else those of the file."""
    return RulesDocument(rules=list(parts.rules.all))


@router.put("", openapi_extra=needs("admin"))
async def put_rules(body: RulesDocument, parts: TheParts, store: TheStore) -> RulesDocument:
    """Replace all rules, in every gateway. They hold until they are saved anew, or somebody edits the file."""
    await parts.rules.save(body.rules, store)
    return RulesDocument(rules=list(parts.rules.all))
