"""Tell whether a host is ready for mailcow: dockerized, what stands in the way, and how to fix it."""

__version__ = "0.1.0"
