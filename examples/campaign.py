"""The best items of many users, for a mailing: user ids in, one a line; JSON out, a line for each user.

    python examples/campaign.py users.txt --target 127.0.0.1:50051 --count 50 > lists.jsonl

To copy: it needs grpcio and the generated modules of `protos/recsys/v1`. One stream keeps one thread of candidate_gen
busy; with CANDIDATE_GEN_CAMPAIGN_THREADS=4, split the users over four of these.
"""

import argparse
import json
import sys
from array import array
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

import grpc

from recsys.v1.campaign_service_pb2 import GetTopItemsRequest, GetTopItemsResponse, TopItemsSettings
from recsys.v1.campaign_service_pb2_grpc import CampaignServiceStub
from recsys.v1.candidate_gen_service_pb2 import GetPopularItemsRequest
from recsys.v1.candidate_gen_service_pb2_grpc import CandidateGenServiceStub

# what the service takes in one request
MOST_USERS, MOST_ENTRIES = 4_096, 65_536


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "users", type=argparse.FileType(encoding="utf-8-sig"), help="a file of user ids; -: standard input"
    )
    parser.add_argument("--target", default="127.0.0.1:50051")
    parser.add_argument("--count", type=int, choices=range(1, 1_001), metavar="1…1000", default=50)
    parser.add_argument("--timeout-s", type=float, default=3600, help="for the whole campaign")
    arguments = parser.parse_args()
    try:
        users = list(ids_in(arguments.users))  # now: an error while gRPC reads them would leave it waiting
        with grpc.insecure_channel(arguments.target) as channel:
            found = lists(channel, users, count=arguments.count, timeout_s=arguments.timeout_s)
            sys.stdout.writelines(json.dumps(one) + "\n" for one in found)
    except grpc.RpcError as error:
        sys.exit(f"error: {arguments.target}: expected candidate_gen, found {error.code().name}: {error.details()}")
    except UnicodeDecodeError as error:
        sys.exit(f"error: {arguments.users.name}: expected UTF-8, found other bytes: {error.reason}")


def ids_in(lines: Iterable[str]) -> Iterator[str]:
    """The ids, one a line; an empty line is none."""
    ids = (line.rstrip("\r\n").removeprefix("\ufeff") for line in lines)  # the mark that some editors begin with
    return (user_id for user_id in ids if user_id)


def lists(
    channel: grpc.Channel, user_ids: Iterable[str], *, count: int, timeout_s: float
) -> Iterator[dict[str, object]]:
    """Each user's items, best first. Whom the model does not know gets what is popular."""
    asked: deque[list[str]] = deque()  # a few requests travel ahead of their responses; gRPC sees to it that it is few

    def requests() -> Iterator[GetTopItemsRequest]:
        ids = iter(user_ids)
        settings: TopItemsSettings | None = TopItemsSettings(count=count)  # in the first request only
        while batch := list(islice(ids, min(MOST_USERS, MOST_ENTRIES // count))):
            asked.append(batch)
            yield GetTopItemsRequest(settings=settings, user_ids=batch)
            settings = None

    popular: list[str] | None = None
    for response in CampaignServiceStub(channel).GetTopItems(requests(), timeout=timeout_s):
        if popular is None:
            popular = popular_items(channel, version=response.artifact_version, count=count)
        strangers = set(response.without_vector)
        for place, (user_id, (item_ids, scores)) in enumerate(zip(asked.popleft(), read(response), strict=True)):
            if place in strangers:
                yield {"user_id": user_id, "item_ids": popular, "scores": None}
            else:
                yield {"user_id": user_id, "item_ids": item_ids, "scores": scores}


def read(response: GetTopItemsResponse) -> Iterator[tuple[list[str], list[float]]]:
    """Item ids and scores of each list of a response."""
    items, scores = array("I", response.items), array("f", response.scores)
    if sys.byteorder == "big":
        items.byteswap()
        scores.byteswap()
    start = 0
    for length in response.lengths:
        end = start + length
        yield [response.item_ids[place] for place in items[start:end]], scores[start:end].tolist()
        start = end


def popular_items(channel: grpc.Channel, *, version: str, count: int) -> list[str]:
    """The same for everyone."""
    request = GetPopularItemsRequest(artifact_version=version, count=count, with_item_ids=True, packed=True)
    return list(CandidateGenServiceStub(channel).GetPopularItems(request, timeout=10).item_ids)


if __name__ == "__main__":
    main()
