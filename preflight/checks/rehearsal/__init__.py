"""Checks of what really happened in a dress rehearsal."""
