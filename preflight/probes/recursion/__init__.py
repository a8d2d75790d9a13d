"""The resolver's way out: what name servers and others on the Internet answer a container, and the host itself."""
