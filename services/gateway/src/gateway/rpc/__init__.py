"""The gRPC API: calls of `RecommendationService` become requests of the REST API within this process, answers messages.

No list, event or item is dealt with here, nor any key or limit: the application's own layers and routes do that.
"""
