"""The compose project under load while its containers are killed, paused, slowed, cut off, filled up and replaced.

    make chaos      # or: .venv/bin/python -m tools.chaos [--only WORD]

`shop` makes the data, `system` runs the project and breaks it, `load` asks all the while, `answers` judges every
answer, `scenarios` says what is done, `table` counts. tests/e2e/test_chaos.py is made of the same parts.
"""
