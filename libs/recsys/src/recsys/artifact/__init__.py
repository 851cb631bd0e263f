"""The disk contract between the trainer and the services: see docs/artifact-format.md."""
