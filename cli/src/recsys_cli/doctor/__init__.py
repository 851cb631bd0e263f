"""`recsys doctor`: looks at a set-up part by part, and says of each what was found and what mends it.

Nothing is changed. A module a part: the volume, the lake, the feature store, the gateway, the machine.
"""
