"""The shop's live state: events, what users have seen, trending counters, items as they are now, experiments."""
