"""Two sites and MirrorMaker 2: `make test-mirror` (see __main__.py)."""
