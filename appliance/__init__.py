"""The box as a whole: its processes together, its doctor, its demonstration. May know every room; no room knows it."""
