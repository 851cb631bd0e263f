"""`python -m reranker`: answers until SIGTERM."""

import recsys.rpc  # noqa: F401 # first: before grpc is imported

# isort: split
from recsys.rpc.service import run
from reranker.app import create
from reranker.settings import Settings

if __name__ == "__main__":
    run("reranker", Settings, create, follows={"items"})
