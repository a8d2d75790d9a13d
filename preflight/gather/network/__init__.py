"""Adapters for links, routes and rules."""
