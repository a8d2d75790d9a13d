"""The words of the plan, of the script and of the lines for mailcow.conf.

All of the script stand in comments, but for `STEP`, `DONE` and `AS_ROOT`.
"""

from __future__ import annotations

from preflight.render.plan import Where

SCRIPT = "What mailcow preflight advises for this server: {host}."
MADE = "Made by {tool} {version} on {date} at {time} UTC."
READ = "Read it before you run it, as root: sh FILE"
STOPS = "It stops at the first error and asks no questions."
AGAIN = "If a step fails, fix the cause and create a new script. It leaves out the finished steps."
NOTHING = "There is nothing to do on this server."
NOTHING_TO_RUN = "No command can run without you. The steps below need a person."
UNJUDGED = "Nothing was judged, so this script does nothing."
REDACTED = "This script runs no command."
FLAGS_FIRST = (
    "These docker run flags were missing: {flags}. Run preflight with all of them first. It may then find more."
)
FLAGS = "{count} results are unknown because docker run flags are missing: {flags}"
FLAG = "1 result is unknown because docker run flags are missing: {flags}"
FLAGS_REMEDY = "Run preflight with all flags."
NO_FIX = "Without a known fix"
DO = "What to do: {text}"
CHECK = "Check: {checks}"
AFTER = "This needs another step first: {checks}"
OPENS = "These checks can run only after this step: {checks}"
LOOK = "To look at it:"
ASK = "This needs your decision, so the script does not run it:"
BROKEN = "A command is left out here because it contains characters that are unsafe in a script: {command}"
PERSON = "For you to do or decide:"
OPTIONAL = "Not needed by mailcow:"
ELSEWHERE = "Not in this script:"
# Headings of reports.
HEADINGS: dict[Where, str] = {
    "docker-run": "How you run preflight",
    "host": "On this server",
    "provider": "At your hosting provider",
    "dns": "At your DNS provider",
    "mailcow.conf": "In mailcow.conf, once mailcow is cloned",
    "last": "Last, once mailcow runs and you have tested it",
}
PLACES: dict[Where, str] = {
    "docker-run": "how preflight is run",
    "host": "this server",
    "provider": "your hosting provider",
    "dns": "your DNS provider",
    "mailcow.conf": "mailcow's own settings, once it is cloned (preflight --format conf)",
    "last": "last, once mailcow runs and you have tested it",
}
STEPS_THERE = "- {place}: {count}"
NEXT = "Run preflight again:"
NATIVE = "Or on the host itself:"
STEP = "Step {number} of {count}: {checks}"
DONE = "Done. Run preflight again."
AS_ROOT = "Run this script as root."

CONF = "Lines of mailcow.conf that fit this host: {host}."
CONF_USE = "Set them in mailcow.conf once generate_config.sh has created it. Replace the lines with the same names."
CONF_NOTHING = "No other finding in this report needs a line in mailcow.conf."
CONF_UNJUDGED = "Nothing was judged, so no suitable line is known."
CONF_REDACTED = "All lines are comments."
CONF_NAME = "The name of the mail host, as given."
CONF_ZONE = "The time zone of this host."
CONF_ELSE = "Only if the other way is not possible for you:"
CONF_OTHER = "Another value was advised above:"
CONF_STRANGE = "This value cannot be written here: {line}"
CONF_PERSON = "Change these by hand in mailcow.conf:"
