"""The words of the page alone."""

from __future__ import annotations

from preflight.render.plan import Where

START = "Start here"
THEN = "Then"
PLACES: dict[Where, str] = {
    "docker-run": "How you run preflight",
    "host": "On this server",
    "provider": "At your hosting provider",
    "dns": "At your DNS provider",
    "mailcow.conf": "In mailcow.conf, once mailcow is cloned",
    "last": "Last, once mailcow runs and you have tested it",
}
NO_FIX = "Without a known fix"
NOTES = "Good to know"
OPTIONAL = "optional"
FLAGS = "{count} results are unknown because docker run flags are missing"
FLAG = "1 result is unknown because docker run flags are missing"
FLAGS_REMEDY = "Run preflight with all flags:"
AFTER = "Do this first:"
OPENS = "These checks can run only after this step:"
IN_TABLE = "see the table"
COPY_ALL = "Copy all records"
COPY_VALUE = "Copy the value of this record"
ACTION = "Copy"
SAID = "Original message"
WHOLE = "The whole message"
IGNORE = "To ignore this finding, add:"
LESS = "{share} %"
TIMES = "{times}×"
FULL_BAR = "A full bar is what mailcow needs."
NO_ENGINE = "not available"
NOT_CHECKED = "not checked"
SHOW_ALL = "All results by section"
SHOW_PORTS = "Show all ports"
CHECKS = "{count} results"
PLAN = "What to do"
REASONS = "{count} reasons"
