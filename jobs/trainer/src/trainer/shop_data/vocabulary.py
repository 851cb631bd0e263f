"""What other systems call our columns and types of events, and how a name is recognised as one of them."""

import re
from collections.abc import Iterable
from typing import Final

from trainer.shop_data.mapping import IGNORE

_ID: Final = r"(id|no|nr|num|number|nummer|code|key|hash|guid|uuid)"
_CUSTOMER: Final = (
    r"(user|customer|client|visitor|member|buyer|shopper|reviewer|household|"
    r"kunden?|klant|cliente|usuario|utilisateur|acheteur)"
)
_ITEM: Final = (
    r"(item|product|stock|article|artikel|produkt|producto|produit|prodotto|"
    r"movie|book|track|song|artist|business|game|video|listing|offer|content)"
)
# Patterns of names in small letters and digits alone; those of the first one that any name fits are meant.
_CALLED: Final = {
    "user_id": (
        rf"{_CUSTOMER}(user|unique)?{_ID}",
        rf"id{_CUSTOMER}|{_CUSTOMER}",
        r"(customer|billing)?e?mail(address)?",
    ),
    "item_id": (
        rf"{_ITEM}{_ID}|(lineitem|item|product|variant|parent)?(sku|asin|isbn|ean|gtin)s?|aid",
        rf"id{_ITEM}|{_ITEM}s?",
        r"(lineitem|item|product)(name|title)",
    ),
    "session_id": (r"(user|visit)?session(id|key)?|visitid|anonymousid|userpseudoid|deviceid|cookieid",),
    "quantity": (r"(lineitem|product|item|order)?(quantity|qty)|menge|qte|quantite|cantidad|quantita|aantal|units",),
    "title": (rf"(lineitem|prod|{_ITEM})(name|title)", r"title|description|bezeichnung"),
    "category": (rf"({_ITEM}|main)?category|warengruppe", rf"({_ITEM})?category(id|code|name)|catid"),
    "price": (rf"(lineitem|unit|{_ITEM})?price|unitpricetaxincl|priceinctax|itemcost|preis|prix|precio|prezzo|prijs",),
    "event_type": (r"(event|action|behaviou?r|interaction|activity|feedback)(type|name)?",),
    "rating": (r"ratings?|stars?|overall|score|bookrating",),
    "timestamp": (r".*(time|date|datum|fecha|timestamp|created|when).*|.*(dat|day|tag|at)|ts|data",),
    "another time": (r".*(birth|ship|deliver|expir|updat|paid|approv|fulfil|cancel|regist|modif|limit).*",),
}

_WORDS: Final = {
    "view": "view views viewed pv click clicks clicked viewitem itemview productview productviewed productclick "
    "productclicked detail detailview detailpageview watch play listen read open",
    "cart": "cart carts addtocart addcart tocart basket addtobasket productadded cartadd",
    "purchase": "purchase purchases purchased buy buys bought order orders ordered ordercompleted transaction sale "
    "purchasecomplete checkoutcompleted conversion",
    "remove": "remove return returned refund refunded",
    IGNORE: "ignore pageview impression impressions search scroll login signup sessionstart firstvisit dislike "
    "userengagement removefromcart productremoved viewitemlist viewcart selectitem begincheckout addpaymentinfo "
    "addshippinginfo",
}
_OURS: Final = {word: ours for ours, words in _WORDS.items() for word in words.split()}
_OF_INTEREST: Final = frozenset(
    [
        "fav",
        "favorite",
        "favourite",
        "favorites",
        "wishlist",
        "addtowishlist",
        "like",
        "liked",
        "save",
        "saved",
        "bookmark",
        "collect",
    ]
)


def called(ours: str, names: Iterable[str]) -> list[str]:
    """Of these names of columns or paths, those that mean what we call so: the likeliest pattern's."""
    keys = {name: _keys(name) for name in names}
    for pattern in _CALLED[ours]:
        found = [name for name, its in keys.items() if any(re.fullmatch(pattern, key) for key in its)]
        if found:
            return found
    return []


def type_of(word: str) -> str | None:
    """What we call a type of events; none: nobody knows it."""
    return _OURS.get(_letters(word))


def is_interest(word: str) -> bool:
    """Whether a type of events says more than a view, and is none of ours."""
    return _letters(word) in _OF_INTEREST


def _keys(name: str) -> tuple[str, ...]:
    """Of `line.product.id`: id, and productid."""
    parts = name.split(".")
    return _letters(parts[-1]), _letters("".join(parts[-2:]))


def _letters(text: str) -> str:
    return re.sub(r"[\W_]", "", text).lower()
