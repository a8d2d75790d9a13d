"""Adapters for names: the resolver's way, and what it answers."""
