"""The trainer's `--engine spark`: the same versions out of more events than one machine takes.

Reading, weights, splits, metrics, indexes and publishing are the trainer's own code, called on parts of the data;
the factors of items are MLlib's. What the driver holds grows with the items, never with the users.
"""
