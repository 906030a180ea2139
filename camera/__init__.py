"""Pixels come in: GenICam cameras, one process each. The only room with harvesters (in gentl.py)."""
