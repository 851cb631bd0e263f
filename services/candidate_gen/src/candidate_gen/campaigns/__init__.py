"""Lists for many users at once, behind the online requests.

It uses the same search and the same eligible items as a single request.
"""
