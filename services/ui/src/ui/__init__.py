"""The web page: a thin client of the REST API. Imports nothing of the back end."""
