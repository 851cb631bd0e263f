"""The nearest items to a vector, out of a set of items: indexes, exact scores and sets.

Which vector is asked with is in `candidate_gen.query`.
"""
