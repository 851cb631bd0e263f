"""`python -m candidate_gen`: answers until SIGTERM."""

import recsys.rpc  # noqa: F401 # first: before grpc is imported

# isort: split
from candidate_gen.app import create
from candidate_gen.settings import Settings
from recsys.feature_store.follower import EVERYTHING
from recsys.rpc.service import run

if __name__ == "__main__":
    run("candidate_gen", Settings, create, follows=EVERYTHING)
