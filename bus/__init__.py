"""What the rooms say to each other: data, errors, messages, the channel, the ring, heartbeats.

Imports nothing of okng and nothing heavy: the process that talks to the PLC lives on this room alone.
"""
