"""What an engine replies."""

from __future__ import annotations

ID = "0123456789abcdef" * 4

ROW = {
    "Id": ID, "Names": ["/mailcowdockerized-postfix-mailcow-1"], "Image": "ghcr.io/mailcow/postfix:1.80",
    "State": "running", "HostConfig": {"NetworkMode": "mailcowdockerized_mailcow-network"},
    "Labels": {"com.docker.compose.project": "mailcowdockerized", "com.docker.compose.service": "postfix-mailcow"},
    "Ports": [
        {"IP": "0.0.0.0", "PrivatePort": 25, "PublicPort": 25, "Type": "tcp"},
        {"IP": "::", "PrivatePort": 25, "PublicPort": 25, "Type": "tcp"},
        {"IP": "::", "PrivatePort": 25, "PublicPort": 25, "Type": "tcp"},
        {"PrivatePort": 588, "Type": "tcp"},
    ],
}  # fmt: skip

BINDINGS = {
    "25/tcp": [{"HostIp": "", "HostPort": "25"}, {"HostIp": "::1", "HostPort": "2525"}],
    "53/udp": [{"HostIp": "", "HostPort": "53"}], "80/tcp": None, "90/tcp": [{"HostIp": "", "HostPort": ""}],
}  # fmt: skip
