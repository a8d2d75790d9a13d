"""Addresses and host names. Pure."""
