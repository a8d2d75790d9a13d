"""The experiments: each with its name among `Host.probes`, its budget, and what progress calls it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from preflight.probes import healthcheck, trial
from preflight.text.sentences import noted

if TYPE_CHECKING:
    from preflight.probes.box import Box

TRIALS = noted("containers for trial")


class Probe(Struct, frozen=True):
    """An experiment. `act` works in a box, with our image's id, and returns the value of the fact.

    `seconds`: its budget, after which it is given up, however much time the run has. `source`: what the fact says that
    it comes from.
    """

    name: str
    seconds: float
    stage: str
    source: str
    act: Callable[[Box, str], Any]


PROBES = (
    Probe("healthcheck", 10.0, TRIALS, "a container with a HEALTHCHECK", healthcheck.healthcheck),
    Probe("privileged", 10.0, TRIALS, "a privileged container", trial.privileged),
    Probe("limits", 10.0, TRIALS, "a container with mailcow's limits", trial.limits),
)
