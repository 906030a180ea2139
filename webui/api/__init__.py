"""The HTTP API: everything the screens do, for other programs. Versioned by its path, documented from the code."""
