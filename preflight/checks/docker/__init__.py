"""Checks of the engine, its settings and Compose."""
