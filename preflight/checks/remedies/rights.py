"""What the program itself lacks: rights that its user, or its container, was not given."""

from __future__ import annotations

from preflight.facts import Host
from preflight.report.model import Remedy
from preflight.text.sentences import say


def more(host: Host) -> Remedy:
    """Say how the program sees what is root's alone."""
    if host.view.container:
        return Remedy(say("Add --privileged to docker run."), place="docker-run")
    return Remedy(say("Run the check as root."))
