"""Adapters for sockets: who listens, and what can be bound."""
