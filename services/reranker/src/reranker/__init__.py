"""Re-ranking: candidates in, the list that is shown out."""

import os

# A request is the work of one thread; see `candidate_gen`. NumPy reads this when it is loaded, which is later.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
