"""Checks of networks, routes and IPv6."""
