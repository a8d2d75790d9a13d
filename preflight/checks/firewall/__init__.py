"""Checks of what manages the firewall."""
