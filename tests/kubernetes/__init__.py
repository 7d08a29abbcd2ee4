"""The pipeline on a real Kubernetes 1.34 of one node, in namespaces of its own: README.md."""

import sys

sys.dont_write_bytecode = True  # scripts/ must not get a folder of bytecode
