"""People look and touch. The only room with flask."""
