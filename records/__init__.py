"""What is remembered: the only writer of SQLite and of pictures."""
