"""The models: each is fitted on a matrix of interactions and gives embeddings or scores.

Which one a shop gets is decided in `trainer.choosing`.
"""
