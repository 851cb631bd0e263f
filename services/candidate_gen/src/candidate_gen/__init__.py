"""Candidate generation: a user, session or item in, the items worth ranking out."""

import os

# A request is the work of one thread. By default NumPy divides a product or a system of equations among all cores, and
# these threads wait for each other: on a busy machine a fold-in then takes a hundred times as long. It reads this when
# it is loaded, which is later.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
