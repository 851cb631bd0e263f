"""`recsys.v1.CampaignService`: wire → campaigns → wire, request after request."""

import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import faiss
import grpc
import numpy as np

from candidate_gen.campaigns.campaigns import CANDIDATES, Campaign, Lists
from candidate_gen.excluded import Seen
from candidate_gen.retriever import Retriever
from candidate_gen.wire import conditions_of
from recsys.artifact.watcher import Watcher
from recsys.errors import InvalidArgumentError
from recsys.rpc.requests import check_at_most, check_count
from recsys.v1.campaign_service_pb2 import GetTopItemsRequest, GetTopItemsResponse, TopItemsSettings
from recsys.v1.campaign_service_pb2_grpc import CampaignServiceServicer

# A request is a second's work at a million items, and its response well within the longest message
_MOST_USERS: Final = 4_096
_MOST_ENTRIES: Final = 65_536
# Online requests go first. Not lower still: what holds Python's lock has to get its turn on a full machine.
_NICENESS: Final = 10


class CampaignServicer(CampaignServiceServicer):
    """Answers a stream from the version that was current, or named, when it began."""

    def __init__(self, watcher: Watcher[Retriever], *, max_count: int, threads: int) -> None:
        """`threads` do the work of all streams, each one request of a stream at a time."""
        self._watcher = watcher
        self._max_count = max_count
        self._scorers = ThreadPoolExecutor(threads, thread_name_prefix="campaign", initializer=_prepare)

    def GetTopItems(  # noqa: N802
        self, request_iterator: Iterator[GetTopItemsRequest], context: grpc.ServicerContext
    ) -> Iterator[GetTopItemsResponse]:
        first = next(request_iterator, None)
        if first is None:
            return
        settings = first.settings
        campaign = self._campaign(first)
        yield self._answer(campaign, settings, first)
        for request in request_iterator:
            if request.HasField("settings"):
                raise InvalidArgumentError("settings: expected in the first request only, found in a later one")
            yield self._answer(campaign, settings, request)

    def _campaign(self, first: GetTopItemsRequest) -> Campaign:
        if not first.HasField("settings"):
            raise InvalidArgumentError("settings: expected in the first request, found none")
        settings = first.settings
        check_count("settings.count", settings.count, at_most=self._max_count)
        check_at_most("settings.candidates", settings.candidates, at_most=self._max_count)
        seen = Seen(is_included=settings.include_seen, event_types=settings.seen_event_types)
        conditions = conditions_of(settings.filter, seen=seen)
        retriever = self._watcher.get(settings.artifact_version)
        return Campaign(retriever, conditions, count=settings.count, candidates=settings.candidates or CANDIDATES)

    def _answer(
        self, campaign: Campaign, settings: TopItemsSettings, request: GetTopItemsRequest
    ) -> GetTopItemsResponse:
        most = min(_MOST_USERS, _MOST_ENTRIES // settings.count)
        check_at_most("user_ids", len(request.user_ids), at_most=most)
        lists = self._scorers.submit(campaign.lists, request.user_ids).result()
        return _to_wire(campaign, lists)


def _prepare() -> None:
    """Settings that FAISS and the kernel keep by thread."""
    faiss.omp_set_num_threads(1)
    if sys.platform == "linux":  # elsewhere a priority belongs to the whole process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


def _to_wire(campaign: Campaign, lists: Lists) -> GetTopItemsResponse:
    rows, places = np.unique(lists.rows, return_inverse=True)
    return GetTopItemsResponse(
        artifact_version=campaign.retriever.manifest.version,
        item_ids=campaign.retriever.artifact.items.ids_of(rows),
        lengths=lists.lengths.tolist(),
        items=places.astype("<u4").tobytes(),
        scores=lists.scores.astype("<f4").tobytes(),
        without_vector=lists.without_vector.tolist(),
    )
