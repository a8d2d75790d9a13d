"""What the checks of the engine measured, and what its probes came to."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from preflight.report.model import Evidence


class EngineEvidence(Evidence, frozen=True, kw_only=True):
    """The engine's versions; `state` only where it does not answer: absent, denied, refused, timeout, invalid."""

    version: str | None
    api_version: str | None
    state: str | UnsetType = UNSET


class ComposeEvidence(Evidence, frozen=True, kw_only=True):
    """Docker Compose: a plugin, standalone, or None where neither is there."""

    version: str | None
    kind: str | None
    path: str | None


class DaemonConfigEvidence(Evidence, frozen=True, kw_only=True):
    """The engine's settings file, and the keys that mailcow's installer will add."""

    path: str
    missing: tuple[str, ...]


class StartEvidence(Evidence, frozen=True, kw_only=True):
    """A container that a probe started, and the exit code that it came to."""

    started: bool
    exit_code: int | None


class HealthEvidence(Evidence, frozen=True, kw_only=True, omit_defaults=True):
    """The states that a container with a health check went through, each with the seconds since its start.

    `timeout_states`: of one whose check hangs; `timeout_gone`: whether that check's process was gone afterwards.
    `exit_codes`: of commands run in a container, of which the first was to end with 1, the next with 2.
    """

    states: tuple[tuple[float, str], ...]
    timeout_states: tuple[tuple[float, str], ...] = ()
    timeout_gone: bool | None = None
    exit_codes: tuple[int | None, ...] = ()
