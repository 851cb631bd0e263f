"""Online experiments: the file of arms, sticky assignment, and a report that may be read at any time.

What an experiment is compared by is worked out by `jobs/event_sink`.
"""
