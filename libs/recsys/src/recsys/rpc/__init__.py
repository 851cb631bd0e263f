"""gRPC as this system uses it. Import it before grpc.

Since 1.80 grpc for Python wakes a thread of its own, its event engine, for every read and write. Off, a call over an
open stream takes 90 µs and not 160 (`make benchmark-serving-profile`). grpc reads the switch when it is imported.
"""

import os

os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_client,-event_engine_listener")
