"""Checks of the ports that mailcow publishes."""
