"""`recsys.v1.CatalogService`: wire → catalogue → wire."""

import grpc

from recsys.artifact.watcher import Watcher
from recsys.rpc.requests import check_at_most, check_count
from recsys.v1.catalog_service_pb2 import GetItemsRequest, GetItemsResponse, SearchItemsRequest, SearchItemsResponse
from recsys.v1.catalog_service_pb2_grpc import CatalogServiceServicer
from reranker import catalog
from reranker.scorer import Scorer
from reranker.wire import item_to_wire


class CatalogServicer(CatalogServiceServicer):
    """Answers from the current version."""

    def __init__(self, watcher: Watcher[Scorer], *, max_page_size: int) -> None:
        self._watcher = watcher
        self._max_page_size = max_page_size

    def GetItems(self, request: GetItemsRequest, context: grpc.ServicerContext) -> GetItemsResponse:  # noqa: N802
        check_at_most("item_ids", len(request.item_ids), at_most=self._max_page_size)
        artifact = self._watcher.current().artifact
        items = catalog.find(artifact, request.item_ids)
        return GetItemsResponse(
            artifact_version=artifact.manifest.version, items=[item_to_wire(item) for item in items]
        )

    def SearchItems(  # noqa: N802
        self, request: SearchItemsRequest, context: grpc.ServicerContext
    ) -> SearchItemsResponse:
        check_count("page_size", request.page_size, at_most=self._max_page_size)
        artifact = self._watcher.current().artifact
        page = catalog.search(
            artifact,
            query=request.query,
            category=request.category,
            after_item_id=request.after_item_id,
            page_size=request.page_size,
        )
        return SearchItemsResponse(
            artifact_version=artifact.manifest.version,
            items=[item_to_wire(item) for item in page.items],
            has_more=page.has_more,
        )
