"""The ways to the host: its paths, programs, and many looks at once."""
