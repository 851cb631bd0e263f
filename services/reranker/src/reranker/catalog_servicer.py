"""`recsys.v1.CatalogService`: wire → live catalogue → wire."""

from functools import partial

import grpc

from recsys.artifact.watcher import Watcher
from recsys.rpc.method import check_time
from recsys.rpc.requests import MOST_WORDS, check_at_most, check_count
from recsys.shop.item_wire import item_to_wire
from recsys.shop.search import Wanted
from recsys.v1.catalog_service_pb2 import (
    Category,
    FindUnknownItemsRequest,
    FindUnknownItemsResponse,
    GetItemsRequest,
    GetItemsResponse,
    ListCategoriesRequest,
    ListCategoriesResponse,
    SearchItemsRequest,
    SearchItemsResponse,
)
from recsys.v1.catalog_service_pb2_grpc import CatalogServiceServicer
from reranker.ranker import Ranker


class CatalogServicer(CatalogServiceServicer):
    """Answers from the current version, with what the shop changed since."""

    def __init__(self, watcher: Watcher[Ranker], *, max_page_size: int) -> None:
        self._watcher = watcher
        self._max_page_size = max_page_size

    def GetItems(self, request: GetItemsRequest, context: grpc.ServicerContext) -> GetItemsResponse:  # noqa: N802
        check_at_most("item_ids", len(request.item_ids), at_most=self._max_page_size)
        ranker = self._watcher.current()
        found = (ranker.catalogue.find(item_id) for item_id in request.item_ids)
        return GetItemsResponse(
            artifact_version=ranker.manifest.version, items=[item_to_wire(item) for item in found if item is not None]
        )

    def FindUnknownItems(  # noqa: N802
        self, request: FindUnknownItemsRequest, context: grpc.ServicerContext
    ) -> FindUnknownItemsResponse:
        check_at_most("item_ids", len(request.item_ids), at_most=self._max_page_size)
        ranker = self._watcher.current()
        asked = dict.fromkeys(request.item_ids)  # each once, in order
        return FindUnknownItemsResponse(
            artifact_version=ranker.manifest.version,
            item_ids=[item_id for item_id in asked if not ranker.catalogue.has(item_id)],
        )

    def SearchItems(  # noqa: N802
        self, request: SearchItemsRequest, context: grpc.ServicerContext
    ) -> SearchItemsResponse:
        check_count("page_size", request.page_size, at_most=self._max_page_size)
        check_at_most("words of query", len(request.query.split()), at_most=MOST_WORDS)
        ranker = self._watcher.current()
        wanted = Wanted(request.query, request.category, request.after_item_id, partial(check_time, context))
        page = ranker.catalogue.search(wanted, page_size=request.page_size)
        return SearchItemsResponse(
            artifact_version=ranker.manifest.version,
            items=[item_to_wire(item) for item in page.items],
            has_more=page.has_more,
        )

    def ListCategories(  # noqa: N802
        self, request: ListCategoriesRequest, context: grpc.ServicerContext
    ) -> ListCategoriesResponse:
        check_count("page_size", request.page_size, at_most=self._max_page_size)
        ranker = self._watcher.current()
        counts = ranker.catalogue.category_counts()
        names = sorted(name for name in counts if name > request.after_category)
        page = names[: request.page_size]
        return ListCategoriesResponse(
            artifact_version=ranker.manifest.version,
            categories=[Category(category=name, item_count=counts[name]) for name in page],
            has_more=len(names) > len(page),
        )
