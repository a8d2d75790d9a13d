"""Why a fact is missing, as far as it can be told of a host whose names and paths are not: by its cause alone."""

from __future__ import annotations

import msgspec

from preflight.facts import Missing
from preflight.facts.base import Cause
from preflight.text.sentences import noted, say

LEFT_OUT = noted("The reason is left out because it may name files, hosts or addresses.")
_ASK = noted("Run the check without --redact to see the reason and the remedy.")
_REASONS: dict[Cause, str] = {
    "absent": noted("The file that would show it does not exist."),
    "container": noted("The container cannot read the host's processes and files."),
    "copy": noted("The root is a copy, which does not include this."),
    "denied": noted("Reading it was denied."),
    "engine": noted("The Docker engine does not answer (see docker.engine)."),
    "interrupted": noted("The run was interrupted before this was known."),
    "kernel": noted("No container was started, because that could crash this kernel."),
    "late": noted("There was no result in time."),
    "name-servers": noted("The name servers did not answer."),
    "network": noted("It is visible only in the host's own network."),
    "no-hostname": noted("No --hostname was given."),
    "no-probe": noted("--no-probe was given."),
    "offline": noted("--offline was given."),
    "older": noted("The recorded facts come from a version that did not collect this."),
    "unasked": noted("No selected check needs it."),
}
# What would make the fact known, where that can be said of every host.
_HELP: dict[Cause, str] = {
    "container": noted("Start the container with the documented options of docker run."),
    "copy": noted("Run the check on the host."),
    "denied": noted("Run the check as root; in a container, add --privileged."),
    "interrupted": noted("Let the check run to its end."),
    "kernel": noted("Change the kernel first (see system.kernel)."),
    "late": noted("Raise --timeout."),
    "name-servers": noted("Name another name server with --resolver."),
    "network": noted("Run the check on the host; in a container, add --network=host."),
    "older": noted("Run `preflight facts` on that host again, with this version."),
}


def helps(text: str) -> bool:
    """Say whether a text is one that stands here for what would make a fact known."""
    return text in (say(_ASK), *map(say, _HELP.values()))


def sentences() -> tuple[str, ...]:
    """Return all that is said in place of a sentence of the real host: why a fact is missing, and what would help."""
    return tuple(map(say, (LEFT_OUT, _ASK, *_REASONS.values(), *_HELP.values())))


def reason(why: Missing) -> Missing:
    """Return why a fact is missing, in words that name nothing of the host."""
    if why.cause not in _REASONS:
        return msgspec.structs.replace(why, reason=say(LEFT_OUT), help=say(_ASK), commands=(), detail="", cause="")
    help_ = say(_HELP[why.cause]) if why.cause in _HELP else ""
    return msgspec.structs.replace(why, reason=say(_REASONS[why.cause]), help=help_, commands=(), detail="")
