"""Probes: they start short-lived containers, record what happened, remove them, and never judge."""
