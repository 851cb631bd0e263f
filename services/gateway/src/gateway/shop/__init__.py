"""What the shop told and asks of single things: items, events, users and histories, and the live state behind them.

Ranked lists are in `gateway.lists`.
"""
