"""Adapters for package databases."""
