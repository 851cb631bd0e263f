"""How good rankings are: held-out windows, metrics, intervals, hard negatives.

What follows from the figures is decided in `trainer.choosing`.
"""
