"""Folded commands do what the whole ones do."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.render.shell import folded

LONG = (
    "apt-get update && apt-get install -y docker-ce docker-ce-cli containerd.io docker-buildx-plugin "
    "docker-compose-plugin"
)


def unfolded(lines: list[str]) -> str:
    """Join lines as a shell does."""
    return "\n".join(lines).replace("\\\n", "")


def test_a_long_command_is_folded_and_means_the_same() -> None:
    lines = folded((LONG,), 74)
    assert len(lines) == 2
    assert all(len(line) <= 74 for line in lines)
    assert shlex.split(unfolded(lines)) == shlex.split(LONG)


@pytest.mark.parametrize(
    "command",
    [
        "x " * 10,
        "'" + "a b " * 40 + "'",
        'echo "' + "a b " * 40,
        "dkim._domainkey.example.org. 3600 IN TXT " + '"v=DKIM1; k=rsa; p=abc" ' * 9,
        "true # " + "a " * 60,
        "x" * 200,
    ],
)
def test_what_is_short_quoted_or_no_shell_stays_whole(command: str) -> None:
    assert folded((command,), 74) == [command]


def test_here_documents_stay_whole() -> None:
    commands = ("cat > /etc/x <<'EOF'", "a " * 60, "EOF")
    assert folded(commands, 74) == list(commands)


@given(st.lists(st.text(alphabet="ab'\"\\ -", min_size=1, max_size=30), min_size=1, max_size=12).map(" ".join))
def test_folding_keeps_the_meaning(command: str) -> None:
    try:
        words = shlex.split(command)
    except ValueError:  # an open quote
        return
    assert shlex.split(unfolded(folded((command,), 20))) == words
