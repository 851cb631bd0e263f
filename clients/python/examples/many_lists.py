"""Lists for several users at once, with asyncio; for very many of them see examples/campaign.py.

Run: python many_lists.py http://127.0.0.1:8000 USER USER … [--key API key: read]
"""

import argparse
import asyncio

from recsys_client import AsyncClient


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("users", nargs="+")
    parser.add_argument("--key")
    given = parser.parse_args()
    async with AsyncClient(given.address, api_key=given.key) as recsys:
        # for an e-mail that may never be opened: a preview is not logged as shown
        asked = (recsys.recommend(user_id=user_id, count=3, preview=True) for user_id in given.users)
        for user_id, found in zip(given.users, await asyncio.gather(*asked), strict=True):
            print(user_id, *(item.item_id for item in found.items))


asyncio.run(main())
