"""`recsys backup` and `recsys restore`: store, lake and models as they were at one moment, in a folder with checksums.

The moment is that of the copy of the feature store. The lake is copied after it and cut where the stream in the store's
copy begins: what the sink had moved and trimmed by then is in the lake, and the sink moves the rest once more.
"""
