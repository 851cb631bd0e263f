"""The shop's live state: events, what users had, trending counters, items as they are now, experiments."""
