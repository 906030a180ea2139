"""The doors of okng."""


def main() -> None:
    """Open a door."""
