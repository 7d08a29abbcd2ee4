"""compose.yaml and compose.cluster.yaml, started as they are: `make test-compose` (see __main__.py)."""
