"""The REST routes: each reads its request, calls one use-case and writes its answer.

No route decides anything; what it needs of the process comes from `dependencies`.
"""
