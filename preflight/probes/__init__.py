"""Probes: they make containers and networks for a moment, record what happened, remove them, and never judge."""
