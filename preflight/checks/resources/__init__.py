"""Checks of memory, disk space and processors."""
