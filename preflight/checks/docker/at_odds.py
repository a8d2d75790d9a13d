"""Settings of the engine that are at odds with each other, each of them right by itself: found by starting engines."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks.docker.directives import has_driver
from preflight.checks.docker.values import name_of
from preflight.facts import DaemonConfig, EngineStart
from preflight.facts.daemon import SNAPSHOTTER
from preflight.text.sentences import say

_JSON_FILE = ("max-file", "max-size", "compress", "labels", "labels-regex", "env", "env-regex", "tag")
_ALL_DRIVERS = ("mode", "max-buffer-size")


def contradictions(start: EngineStart, config: DaemonConfig, major: int | None) -> Iterator[str]:
    """Say which settings exclude each other, and which need another one that is not there."""
    held = config.settings
    if held.get("bridge") and held.get("bip"):
        yield say("The engine does not start with both bridge and bip: they exclude each other.")
    if held.get("icc") is False and held.get("iptables") is False:
        yield say("The engine does not start with icc: false and iptables: false: icc: false needs iptables.")
    if major is not None and major < 27 and held.get("ip6tables") is True and held.get("experimental") is not True:
        yield say(
            "Docker {version} starts with ip6tables: true only if experimental is also true.",
            version=start.version,
        )
    own_bridge = not held.get("bridge")
    if major is not None and major < 27 and held.get("ipv6") is True and own_bridge and not held.get("fixed-cidr-v6"):
        yield say(
            "Docker {version} starts with ipv6: true only if fixed-cidr-v6 sets a network.",
            version=start.version,
        )
    driver, by_containerd = held.get("storage-driver"), config.feature(SNAPSHOTTER)
    if isinstance(driver, str) and driver and major is not None and not by_containerd and not has_driver(driver, major):
        yield say("Docker {version} has no {driver} storage driver.", version=start.version, driver=driver)
    yield from _runtime(start, held.get("default-runtime"))
    yield from _log_options(start, config)


def _runtime(start: EngineStart, wanted: object) -> Iterator[str]:
    """Complain of a default runtime that is named nowhere; by flags there may be others."""
    named = {
        directive.path[1] for directive in start.directives if directive.path[0] == "runtimes" and directive.path[1:]
    }
    given = any(flag.name == "runtimes" for flag in start.flags)
    if isinstance(wanted, str) and wanted not in ("", "runc", *named) and not given and not wanted.startswith("io."):
        yield say("The default-runtime {name} is not listed in runtimes, so the engine does not start.", name=wanted)


def _log_options(start: EngineStart, config: DaemonConfig) -> Iterator[str]:
    """Complain of options that the default log driver does not have."""
    if config.settings.get("log-driver", "json-file") == "json-file":
        for directive in start.directives:
            name = directive.path[-1]
            if len(directive.path) != 2 or directive.path[0] != "log-opts" or name in (*_JSON_FILE, *_ALL_DRIVERS):
                continue
            if not name.startswith("cache-"):
                yield say(
                    "Line {line} of {path} has {name}, which is not an option of the json-file log driver: the engine "
                    "does not start with it.",
                    path=config.path,
                    line=directive.line,
                    name=name_of(directive),
                )
