"""How sentences are said, and how files that users name are read."""
