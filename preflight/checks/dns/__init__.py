"""Checks of the names that others look up."""
