"""Adapters: the only code that touches the world. Each fetches (I/O, with a bound) and parses (pure) apart."""
