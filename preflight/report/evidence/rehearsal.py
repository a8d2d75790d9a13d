"""What happened in a dress rehearsal, as the checks tell it."""

from __future__ import annotations

from preflight.report.model import Evidence


class RehearsedNetworkEvidence(Evidence, frozen=True, kw_only=True):
    """mailcow's network: whether it was made, with which subnets, and the addresses of its containers.

    `ipv6`: made, missing, unwanted, forwarding, unknown. `cause`: why the engine refused it, '' = it did not, or for a
    reason that is not known.
    """

    made: bool
    bridge: str
    subnets: tuple[str, ...]
    ipv6: str
    cause: str
    containers: dict[str, tuple[str, ...]]


class AnswerEvidence(Evidence, frozen=True, kw_only=True):
    """How a published port answered at an address: answered, crossed, other, mute, closed, refused, silent, unsent."""

    answer: str
    seconds: float
    peer: str
    error: str


class RehearsedPortEvidence(Evidence, frozen=True, kw_only=True):
    """A port: the services that publish it, whether the engine did, why not, and how it answered by address."""

    services: tuple[str, ...]
    published: bool
    cause: str
    answers: dict[str, AnswerEvidence]


class RehearsedContainerEvidence(Evidence, frozen=True, kw_only=True):
    """A container: the states that it went through with the seconds, and the conditions that were never met.

    `cause`: why the engine refused it, '' = it did not, or for a reason that is not known.
    """

    states: tuple[tuple[float, str], ...]
    healthcheck: bool
    started: bool
    exit_code: int | None
    unmet: tuple[str, ...]
    cause: str


class RehearsedHealthEvidence(Evidence, frozen=True, kw_only=True):
    """The containers by name."""

    containers: dict[str, RehearsedContainerEvidence]


class WayOutEvidence(Evidence, frozen=True, kw_only=True):
    """A connection out of mailcow's network: to whom (bridge, host, target), and reached, refused, silent or unsent."""

    to: str
    whom: str
    way: str
    seconds: float
    error: str


class RehearsedEgressEvidence(Evidence, frozen=True, kw_only=True):
    """The connections that a container on mailcow's network tried."""

    exits: tuple[WayOutEvidence, ...]
