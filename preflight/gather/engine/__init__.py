"""Adapters for the engine: its replies, its settings, Compose."""
