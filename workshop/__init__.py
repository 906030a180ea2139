"""The workshop: new products are taught here, models and recipes tried and put in place. Never a part of the line."""
