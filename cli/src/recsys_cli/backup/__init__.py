"""`recsys backup` and `recsys restore`: store, lake and models as they were at one moment, in a folder with checksums.

The moment is that of the copy of the feature store. The lake is copied after it and cut at the place of the stream that
the store's copy has come to: what the store no longer has in its stream is in the lake, and nothing else is.
"""
