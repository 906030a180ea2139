"""The people's side of the line: alarms, challenge tests, change-over, bypass, lot. The process is `shift`."""
