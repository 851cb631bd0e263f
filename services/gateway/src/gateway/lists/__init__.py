"""Ranked lists: what the two stages are asked, their fallbacks, pages, JSON and exposures.

Items, events and users by themselves are in `gateway.shop`.
"""
