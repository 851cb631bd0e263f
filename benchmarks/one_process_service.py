"""The baseline of `benchmarks.serving`: what a shop's engineer would glue together, in one process and done well.

FastAPI + FAISS + NumPy over the same artifact, doing the same work for one request: 200 candidates by the same index,
without seen items, exact dot products, the best ten described as JSON. It keeps ids, titles and categories as
Python objects, checks nothing, swaps nothing, and has no live state. A request with a filter is answered as if it had
none, and one for a user that the model does not know as if it were for the first: with the same work as any other.
"""

import os
from pathlib import Path
from typing import Final

import faiss
import numpy as np
import orjson
from fastapi import FastAPI, Request, Response

from recsys.artifact import layout
from recsys.artifact.reader import open_artifact

VOLUME: Final = "ONE_PROCESS_VOLUME"
CANDIDATES: Final = 200


def create_app() -> FastAPI:
    """For `uvicorn --factory`; the volume stands in the environment."""
    volume = Path(os.environ[VOLUME])
    version = layout.current_version(volume)
    assert version is not None
    artifact = open_artifact(layout.version_dir(volume, version))
    index = faiss.read_index(str(artifact.retrieval_index_path), faiss.IO_FLAG_MMAP_IFC)
    if artifact.manifest.index.search_effort is not None:
        faiss.ParameterSpace().set_index_parameter(index, "nprobe", artifact.manifest.index.search_effort)
    faiss.omp_set_num_threads(1)
    row_of = {artifact.users.id_of(row): row for row in range(len(artifact.users))}
    catalogue = [artifact.catalogue.item(row) for row in range(len(artifact.items))]
    app = FastAPI()

    def recommend(user_id: str, count: int) -> Response:
        row = row_of.get(user_id, 0)
        user = artifact.user_embeddings[row]
        seen = artifact.history.rows(row)
        _, found = index.search(user[None, :], CANDIDATES + len(seen))
        rows = found[0][~np.isin(found[0], seen)][:CANDIDATES]
        scores = artifact.item_embeddings[rows] @ user
        best = np.argsort(-scores)[:count]
        items = [
            {
                "item_id": item.item_id,
                "title": item.title,
                "category": item.category,
                "price": item.price,
                "image_url": item.image_url,
                "available": item.available,
                "score": score,
            }
            for item, score in zip((catalogue[n] for n in rows[best].tolist()), scores[best].tolist(), strict=True)
        ]
        return Response(orjson.dumps({"items": items}), media_type="application/json")

    @app.get("/v1/users/{user_id}/recommendations")
    async def recommendations(user_id: str, count: int = 10) -> Response:
        return recommend(user_id, count)

    @app.post("/v1/recommendations")
    async def filtered(request: Request) -> Response:
        asked = orjson.loads(await request.body())
        return recommend(asked["user_id"], asked["count"])

    @app.get("/readyz")
    async def ready() -> Response:
        return Response(b"{}", media_type="application/json")

    return app
