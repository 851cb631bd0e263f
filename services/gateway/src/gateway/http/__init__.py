"""What stands between a connection and a route: server, access, limits, request context, problems, metrics.

It knows nothing of recommendations.
"""
