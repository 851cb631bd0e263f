"""The compose project under load while its containers are killed, paused, slowed, cut off, filled up and replaced.

    make chaos      # or: .venv/bin/python -m tools.chaos [--only WORD]

`shop` makes the data, `system` runs the project, `faults` break it, `load` asks all the while, `answers` judges every
answer, `scenarios` says what is done, `play` does it and counts. tests/e2e/test_chaos.py is made of the same parts.
"""
