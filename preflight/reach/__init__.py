"""Reach from outside: what is kept up on a host is tried from another machine, and both ends prove who they are."""
