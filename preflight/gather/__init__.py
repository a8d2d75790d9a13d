"""Adapters: the only code that looks at the host. Each fetches (I/O, with a bound) and parses (pure) apart."""
