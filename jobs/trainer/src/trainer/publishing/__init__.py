"""From a fitted model to a version on the volume: indexes, loss budget, fold-in, artifact, retention.

Whether it goes live is decided in `trainer.choosing`.
"""
