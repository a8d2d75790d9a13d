"""Adapters for mailcow.conf and the files beside it."""
