"""What a shop's back end does for one visitor: a list, the click on it, the purchase, and the next list.

Run: python product_page.py http://127.0.0.1:8000 [API key: read, events]
"""

import sys
import uuid

from recsys_client import Client, Event, RecsysError

address, key = sys.argv[1], (sys.argv[2] if len(sys.argv) > 2 else None)
session_id = f"example-{uuid.uuid4().hex}"  # of the visitor's cookie

with Client(address, api_key=key, timeout_s=2) as recsys:
    try:
        shown = recsys.recommend(session_id=session_id, count=3)
    except RecsysError as error:  # a page without the list is better than no page
        sys.exit(f"no recommendations: {error}")
    for position, item in enumerate(shown.items, start=1):
        print(position, item.item_id, item.title)

    clicked = shown.items[0].item_id
    for what, value in (("view", None), ("purchase", 12.5)):
        event = Event(session_id=session_id, item_id=clicked, type=what, value=value, list_id=shown.list_id, position=1)
        outcome = recsys.post_events([event])
    print("accepted:", outcome.accepted)

    following = recsys.recommend(session_id=session_id, count=3)
    print("bought item recommended again:", clicked in [item.item_id for item in following.items])
