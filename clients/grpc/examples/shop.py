"""A list for a user over gRPC, a purchase that answers it, and the list after that.

Run: python shop.py 127.0.0.1:50050 USER [--key KEY] [--ca FILE]

The key has the scopes read and events; the file, PEM, is needed where the gateway shows a certificate.
To copy: it needs grpcio and the stubs (recsys-grpc).
"""

import argparse
import sys
import uuid
from pathlib import Path

import grpc

from recsys.v1.recommendation_service_pb2 import PostEventsRequest, RecommendRequest, ShopEvent
from recsys.v1.recommendation_service_pb2_grpc import RecommendationServiceStub

TIMEOUT_S = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target")
    parser.add_argument("user_id")
    parser.add_argument("--key", default="")
    parser.add_argument("--ca", type=Path)
    arguments = parser.parse_args()
    key = [("authorization", f"Bearer {arguments.key}")] if arguments.key else []
    try:
        with open_channel(arguments.target, arguments.ca) as channel:
            buy_the_first(RecommendationServiceStub(channel), arguments.user_id, key)
    except grpc.RpcError as error:
        sys.exit(f"error: {arguments.target}: {error.code().name}: {error.details()}")


def open_channel(target: str, ca: Path | None) -> grpc.Channel:
    """A channel lasts as long as the process: opening one costs more than a call."""
    if ca is None:
        return grpc.insecure_channel(target)
    return grpc.secure_channel(target, grpc.ssl_channel_credentials(ca.read_bytes()))


def buy_the_first(api: RecommendationServiceStub, user_id: str, key: list[tuple[str, str]]) -> None:
    wanted = RecommendRequest(user_id=user_id, count=3)
    shown = api.Recommend(wanted, timeout=TIMEOUT_S, metadata=key)
    for place, item in enumerate(shown.items, start=1):
        print(place, item.item_id, item.title)
    # with an id of its own an event may be sent again, and counts once
    purchase = ShopEvent(
        event_id=uuid.uuid4().hex,
        user_id=user_id,
        item_id=shown.items[0].item_id,
        type="purchase",
        list_id=shown.list_id,
        position=1,
    )
    outcome = api.PostEvents(PostEventsRequest(events=[purchase]), timeout=TIMEOUT_S, metadata=key)
    print("accepted:", outcome.accepted)
    after = api.Recommend(wanted, timeout=TIMEOUT_S, metadata=key)
    print("bought item recommended again:", purchase.item_id in [item.item_id for item in after.items])


if __name__ == "__main__":
    main()
