"""The sentences of the reports, whole and with named placeholders, each once for all formats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preflight.report.model import Counts, Report, Severity, Status, Verdict

if TYPE_CHECKING:
    from preflight.render.ports import Port

# The page that explains every check, with an anchor for each. Where it gets a public address, that stands here, and all
# reports link to it; until then they name it, beside the command that says the same.
PAGE = "docs/checks.md"
INSTALL = "https://docs.mailcow.email/getstarted/install/"

HEADLINE = {
    Verdict.READY: "Ready for mailcow",
    Verdict.READY_WITH_WARNINGS: "Ready for mailcow, with warnings",
    Verdict.NOT_READY: "Not ready for mailcow",
    Verdict.UNDETERMINED: "Undetermined: some required checks could not run",
}
NEXT = {
    Verdict.READY: "mailcow can be installed on this host.",
    Verdict.READY_WITH_WARNINGS: ("mailcow can be installed on this host. Read the warnings first."),
    Verdict.NOT_READY: "Fix these problems in order, then run the check again.",
    Verdict.UNDETERMINED: (
        "No problem was found, but not everything that mailcow needs could be checked. "
        "Follow the advice below, then run the check again."
    ),
}
# By the contract the verdict is `ready` here too, as nothing failed; no reader shall take that for a judgement.
WRITTEN = "{headline} ({verdict}). Report: {paths}"
UNJUDGED = "Nothing was judged"
UNJUDGED_NEXT = (
    "No check could judge this host, so this report does not say whether mailcow can be installed. "
    "See the reasons below, or select other checks."
)
# Ready by the contract as well, and no reader shall take it for more than it is.
WAIVED_READY = "Ready for mailcow, except for waived findings"
WAIVED_NEXT = "All findings that would block mailcow are waived in this run: {count}."
PARTLY_READY = "No problems in the selected checks"
PARTLY_NEXT = "Selected checks: {asked} of {all}. Run all checks to see whether mailcow can be installed on this host."
NO_NAME = "DNS was not checked: add --hostname with the future name of the mail server."
SKIPPED_TOO = "Skipped checks were not judged."
STRICT = "Warnings count as failures in this run: fix them, then run this check again."

UNKNOWN = "unknown"
UNKNOWN_OS = "system unknown"
UNKNOWN_HOST = "this host"
NO_ENGINE = "not available"
NOT_CHECKED = "not checked"
COUNTS = {
    Status.PASS: "{count} passed",
    Status.FAIL: "{count} failed",
    Status.WARN: "{count} warnings",
    Status.UNKNOWN: "{count} unknown",
    Status.ERROR: "{count} crashed",
    Status.IGNORED: "{count} waived",
    Status.SKIP: "{count} skipped",
}

ONE = {Status.WARN: "1 warning"}  # where one is not as several are

UNCLEAR = "Unknown"
WAIVED = "Waived"
PORTS = "Ports"
NOTES = "Optional"
PASSED = "Passed"
SKIPPED = "Skipped"

ALSO = "This also applies to {subjects}."
LEFT_OUT = "… (left out: {count} characters)"
LONG_COMMAND = "# A command of {count} characters is left out here; the JSON report has it."
MORE = "and {count} more"
SEVERAL = "{first} (and {count} more)"
NO_REMEDY = "No remedy is known."
REMEDY = "What to do:"
WHY = "Why it matters:"
READ_MORE = "Read more:"
EVIDENCE = "Evidence:"
CHECK = "Check:"
WAIVE = "Waive it:"
IGNORE = "--ignore {finding}"
INSTALL_LABEL = "How to install it:"
BECAUSE = "Waived because:"
REMARK = "No longer waived:"
DETAIL = "Original message:"
SHOW_PASSED = "Show the checks that passed"
EXPECTED_FOUND = "Expected: {expected} · Found: {found}"
BECAUSE_OF = "{checks}: {reason}"
SUMMARY = (
    "Host {name} · {os} · kernel {kernel} ({architecture}) · Docker {engine} · requirements {requirements} as of {read}"
)
FOOTER = "Made by {tool} {version} on {date} at {time} UTC, in {seconds} s."
EXPLAINED = "To learn more about a check, run `preflight explain ID`, or see {page}."
ABOUT = "About this check: preflight explain {check}, or {page}"
GENERATED = "This page is generated from the checks in `preflight/checks`."
WEIGHT = "Weight:"
SUBJECT = "Results:"
READS = "Reads:"
ONE_FOR_EACH = "One per {subject}."
ONE_FOR_ALL = "One for the host."
SEVERITIES = {
    Severity.REQUIRED: "required: if it fails, mailcow will not work on this host.",
    Severity.RECOMMENDED: "recommended: at most a warning.",
    Severity.INFO: "info: never more than a remark.",
}
CATALOGUE_COLUMNS = ("Check", "Weight", "What it checks")
PORT_COLUMNS = ("Service", "Protocol", "Port", "Container", "Variable", "State")
PASSED_COLUMNS = ("Section", "Check", "Result")
EVIDENCE_COLUMNS = ("Subject", "Expected", "Found")

WORSE = "Something got worse"
BETTER = "Something was fixed and nothing got worse"
NOT_WORSE = "Nothing got worse"
BETTER_IN_BOTH = "In the checks that both reports have, something was fixed and nothing got worse"
NOT_WORSE_IN_BOTH = "In the checks that both reports have, nothing got worse"
NOT_COMPARED = "Nothing was compared: the two reports have no check in common"
BEFORE = "Before: {report}"
AFTER = "After: {report}"
SIDE = "{host}, {when}: {headline}"
OTHER_HOST = "The reports are about two hosts. A difference need not be a change."
NO_HOST = "At least one report does not name its host. A difference need not be a change."
OTHER_REQUIREMENTS = "The requirements differ ({old}, {new}). A difference need not be a change on the host."
OTHER_CHECKS = (
    "The two reports do not have the same checks (only in the older one: {old}, only in the newer one: {new}). "
    "Whether anything changed there is unknown."
)
ABSENT = "not in the report"
MOVED = "{before} → {after}"
CHANGES = {
    "broken": "Broken",
    "still_failing": "Still failing",
    "fixed": "Fixed",
    "other": "Other changes",
    "not_in_both": "Not in both reports",
}
CHANGE_COUNTS = (
    "{broken} broken · {still} still failing · {fixed} fixed · {other} other changes · {unchanged} unchanged · "
    "{apart} not in both"
)
SINCE = "Since the report of {when}: {new} new, {known} known, {fixed} fixed."
FIXED_SINCE = "Fixed since the report of {when}"
NEW = "new"
KNOWN = "known"
NEW_AMONG = "new: {subjects}"
UNASKED = "not checked before"
UNASKED_AMONG = "not checked before: {subjects}"

REDACTED = (
    "This report is redacted: names, addresses and arguments are replaced with placeholders such as <host-1>. "
    "A command that contains one cannot be run unchanged."
)

PORT_STATES = {  # a sign, and words
    Status.PASS: ("✅", "free"),
    Status.FAIL: ("❌", "{detail}"),
    Status.WARN: ("⚠", "{detail}"),
    Status.UNKNOWN: ("❓", "unknown"),
    Status.SKIP: ("–", "not checked"),
    Status.IGNORED: ("–", "waived: {detail}"),
    Status.ERROR: ("❓", "the check crashed"),
}
HELD = "in use by {holder}"
NOT_SAID = "not free"

# The page's own.
QUESTION = "Is {name} ready for mailcow?"
GO = "Read how to install mailcow"
BY_STATUS = "Results by status"
STATUSES = {
    Status.PASS: "passed",
    Status.FAIL: "failed",
    Status.WARN: "warning",
    Status.UNKNOWN: "unknown",
    Status.ERROR: "crashed",
    Status.IGNORED: "waived",
    Status.SKIP: "skipped",
}
WAS = "Without the waiver: {status}."
REASON = "Reason:"
COPY = "Copy"
COPY_THESE = "Copy these commands"
COPIED = "Copied"
NOT_COPIED = "Copying failed: select the text"
EXPECTED_AND_FOUND = "Expected and found"
WHY_AND_MORE = "Why it matters, and where to read more"
HOST = "Host"
SYSTEM = "System"
KERNEL = "Kernel"
RELEASE = "{release} ({architecture})"
ENGINE = "Docker"
REQUIREMENTS = "Requirements"
READ_ON = "{requirements}, as of {read}"
MEASURED = "What was measured"
SIZES = "Memory and disk"
MEMORY = "Memory"
SWAP = "Swap"
DISK = "Disk"
ASKED_FOR = "mailcow needs {expected}"
LINE = "The line marks what mailcow needs."
HEALTH = "Health check of a container"
HEALTH_TRIED = "preflight started a container whose health check first fails and then passes."
STATE_AFTER = "{state} after {seconds} s"
WAYS = "Way through this host's firewall"
WAY = "Way:"
WAY_OF = "{family}, {what}"
OUTGOING = "connections from mailcow's network"
WAY_VERDICTS = {
    "delivered": "arrives", "dropped": "dropped here", "refused": "refused here", "oneway": "its answer is lost",
    "elsewhere": "sent elsewhere", "proxy": "docker-proxy answers",
}  # fmt: skip
BY_RULE = "{ends} by rule {number}"
ENDS = " ✕ {ends}"
ALL_RESULTS = "All results"
STATUS = "Status"
SECTION = "Section"
ALL = "All"
SHOWN = "Results shown: {shown} of {all}."
NONE_SHOWN = "No result in this section has this status."
ALONE = "This page loads nothing and sends nothing."

SECTIONS = {
    "system": "System",
    "resources": "Resources",
    "docker": "Docker",
    "ports": "Ports",
    "services": "Services",
    "firewall": "Firewall",
    "clock": "Date and time",
    "dns": "Names",
    "network": "Network",
    "rehearsal": "Dress rehearsal",
}


def section(name: str) -> str:
    """Return a section's heading."""
    return SECTIONS.get(name, name.capitalize())


def sentence(text: str) -> str:
    """Return what a user or an earlier version wrote as a sentence with its full stop; messages have theirs."""
    text = text.rstrip()
    return text if text.endswith((".", "!", "?", ":", "…")) else f"{text}."


def heading(message: str) -> str:
    """Return a message as a heading, which has no full stop."""
    return message.removesuffix(".")


def counts(counted: Counts) -> list[tuple[Status, str]]:
    """Return how many results have each status, in words; what there is none of is left out."""
    numbers = {status: getattr(counted, "pass_" if status is Status.PASS else status.value) for status in COUNTS}
    return [
        (status, ONE[status] if number == 1 and status in ONE else COUNTS[status].format(count=number))
        for status, number in numbers.items()
        if number
    ]


def when(started: str) -> str:
    """Return a time as it stands in a sentence: 2026-11-23 at 01:23 UTC."""
    date, _, time = started.removesuffix("Z").partition("T")
    return f"{date} at {time[:5]} UTC"


def page(check: str) -> str:
    """Return the place that explains a check."""
    return f"{PAGE}#{check}"


def explained() -> str:
    """Return where checks are explained, for the end of a report."""
    return EXPLAINED.format(page=page("ID"))


def about(check: str) -> str:
    """Return where one check is explained."""
    return ABOUT.format(check=check, page=page(check))


def footer(report: Report) -> str:
    """Return who made the report, when, and how long it took."""
    date, _, time = report.started.removesuffix("Z").partition("T")
    seconds = f"{report.seconds:.1f}"
    return FOOTER.format(tool=report.tool.name, version=report.tool.version, date=date, time=time[:5], seconds=seconds)


def port_state(port: Port) -> tuple[str, str]:
    """Return a port's state as a sign and in a few words: who holds it, else what was found."""
    detail = HELD.format(holder=port.holder) if port.holder else port.found or NOT_SAID
    sign, text = PORT_STATES[port.status]
    return sign, text.format(detail=detail)
