"""What a shop's back end does with its catalogue: items in bulk, an item off sale, and the whole of it page by page.

Run: python catalogue.py http://127.0.0.1:8000 [API key: read, admin]
"""

import sys

from recsys_client import Client, DeleteChange, PutChange

address, key = sys.argv[1], (sys.argv[2] if len(sys.argv) > 2 else None)
ids = [f"example-mug-{number}" for number in range(3)]

with Client(address, api_key=key) as recsys:
    done = recsys.change_items(
        [PutChange(item_id=item_id, title="Mug", category="Example", price=7.5) for item_id in ids]
    )
    print("put:", done.changed)

    recsys.patch_item(ids[0], available=False)  # in no list from now on
    print("on sale:", recsys.get_item(ids[0]).available)

    print("items:", sum(len(page.items) for page in recsys.item_pages(page_size=100)))

    recsys.change_items([DeleteChange(item_id=item_id) for item_id in ids])
    print("left:", len(recsys.get_items(ids).items))
