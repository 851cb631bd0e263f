"""The command `recsys`: everything that people do with a running system, and with what it keeps."""
