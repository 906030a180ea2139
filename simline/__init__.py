"""A line with no hardware: GenTL producer, conveyor, parts, PLC, ejector, judge. Knows nothing of okng."""
