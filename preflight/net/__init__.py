"""Addresses and host names: how they are read, written and compared."""
