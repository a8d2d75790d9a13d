"""Which way a packet takes. Pure."""
