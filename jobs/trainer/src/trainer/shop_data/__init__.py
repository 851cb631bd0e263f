"""From the shop's files and the event lake to checked events, a catalogue, and the matrix of interactions.

Nothing here knows a model.
"""
