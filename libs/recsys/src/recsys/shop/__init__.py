"""What a shop has: items and their changes, filters, event types, sources of candidates, and the live catalogue.

Each is defined here once, for every process. What is trained, stored or sent is elsewhere.
"""
