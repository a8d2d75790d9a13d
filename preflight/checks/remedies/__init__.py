"""Commands for this host: its distribution's, and its engine's."""
