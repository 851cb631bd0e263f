"""The trainer: a shop's events in, a version that the services serve out."""

import os

# OpenMP reads it when torch, implicit or FAISS loads it, which is later. By default its threads spin while they wait
# for each other: beside anything else that runs, a fit of many small systems takes ten times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
