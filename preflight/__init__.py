"""Tell whether a host is ready for mailcow: dockerized, what stands in the way, and how to mend it."""

__version__ = "0.1.0"
