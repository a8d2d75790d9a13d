"""Where what a check says can be read: pages of documentation, and the issues in which its problem was reported."""

from __future__ import annotations

# mailcow's documentation.
PREREQUISITES = "https://docs.mailcow.email/getstarted/prerequisite-system/"
DNS = "https://docs.mailcow.email/getstarted/prerequisite-dns/"
INSTALLATION = "https://docs.mailcow.email/getstarted/install/"
IP_BINDINGS = "https://docs.mailcow.email/post_installation/firststeps-ip_bindings/"
DISABLE_IPV6 = "https://docs.mailcow.email/post_installation/firststeps-disable_ipv6/"
LOCAL_MTA = "https://docs.mailcow.email/post_installation/firststeps-local_mta/"
REVERSE_PROXY = "https://docs.mailcow.email/post_installation/reverse-proxy/r_p/"
SYNC_JOBS = "https://docs.mailcow.email/post_installation/firststeps-sync_jobs_migration/"
CLAMAV = "https://docs.mailcow.email/manual-guides/ClamAV/u_e-clamav-additional_dbs/"

# Docker's.
ENGINE_INSTALLATION = "https://docs.docker.com/engine/install/"
COMPOSE_INSTALLATION = "https://docs.docker.com/compose/install/linux/"
COMPOSE_ULIMITS = "https://docs.docker.com/reference/compose-file/services/#ulimits"
DAEMON_JSON = "https://docs.docker.com/reference/cli/dockerd/#daemon-configuration-file"
HEALTHCHECK = "https://docs.docker.com/reference/dockerfile/#healthcheck"
PACKET_FILTERING = "https://docs.docker.com/engine/network/packet-filtering-firewalls/"
STORAGE_DRIVERS = "https://docs.docker.com/engine/storage/drivers/select-storage-driver/"


def rfc(number: int) -> str:
    """Return the address of one of the Internet's standards."""
    return f"https://www.rfc-editor.org/rfc/rfc{number}"


def issue(number: int, repository: str = "mailcow/mailcow-dockerized") -> str:
    """Return the address of an issue on GitHub, mailcow's own where no repository is named."""
    return f"https://github.com/{repository}/issues/{number}"
