"""Checks of the machine and its operating system."""
