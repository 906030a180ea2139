"""One file a step, run in order at the start of the service."""
