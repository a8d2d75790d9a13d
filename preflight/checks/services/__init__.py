"""Checks of other mail and web servers."""
