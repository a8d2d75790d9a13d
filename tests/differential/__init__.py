"""The twin against the truth: random rule sets on a host of namespaces, and what real packets come to on that host itself."""
