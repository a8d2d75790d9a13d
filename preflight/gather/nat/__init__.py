"""Adapters for rules that send packets elsewhere."""
