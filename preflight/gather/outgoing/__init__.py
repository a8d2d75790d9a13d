"""Adapters for the way out: connections to the Internet, and what becomes of them."""
