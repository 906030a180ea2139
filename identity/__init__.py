"""Who this box is: the key that it signs with, and what others know it by."""
