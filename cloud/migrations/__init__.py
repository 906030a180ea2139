"""Steps of the database's form. A step that was shipped is never changed: the next one mends it."""
