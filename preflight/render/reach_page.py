"""What `preflight reach` found, as one HTML page that needs nothing else, and has no script."""

from __future__ import annotations

from preflight.reach.document import Reach
from preflight.render import html, reach, reach_words

STYLE = """\
.reached { border-collapse: separate; border-spacing: 0; }
.reached th { white-space: nowrap; }
.reached th:first-child { padding-left: 1.2rem; }
"""


def page(found: Reach) -> str:
    """Return the page, in the style of the report's."""
    style, policy = html.styled(STYLE)
    made = html.environment().get_template("reach.html.j2").render(
        style=style, policy=policy, found=found, headline=reach.headline(found), counts=reach.counts(found),
        about=reach.about(found), tables=reach.tables(found), state=reach.state, details=reach.details,
        ports=reach.ports, state_of=reach.status(found), reach_words=reach_words,
    )  # fmt: skip
    return made.strip() + "\n"
