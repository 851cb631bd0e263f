"""The vector that the index is asked with, and what it is made of: trained, or folded in from what somebody did.

The search itself is in `candidate_gen.search`.
"""
