"""Checks of date, time and time zone."""
