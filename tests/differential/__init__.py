"""The twin against the truth: random rules on a host of namespaces, and what real packets come to there."""
