"""Adapters for services: what starts at boot, and what it opens."""
