"""Online experiments: a file of arms, sticky assignment, and a report that may be read at any time."""
