"""The ranker that learns: features of candidates and what was taken of them in, boosted trees out.

Whether a shop gets one is decided in `trainer.choosing`.
"""
