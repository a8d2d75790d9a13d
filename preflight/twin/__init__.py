"""A twin of the host's network, in namespaces of its own: real packets are sent through copies of the host's rules."""
