"""What a run measured, as figures, plots, one HTML page, and tables for the terminal.

Nothing is measured here.
"""
