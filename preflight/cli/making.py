"""How options are made: each has its help on one line, its variable, and the section of the help that it stands in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


class Option(click.Option):
    """An option with one line of help, which is shown as it stands.

    click would tidy it up with `inspect`, which is not loaded for that (`preflight.__main__.Later`). `group`: the
    section of the help that it stands in.
    """

    group: str = ""

    def __init__(self, *args: Any, help: str | None = None, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.help = help

    def get_help_extra(self, ctx: click.Context) -> Any:
        """Leave out the range, which the help says in words."""
        extra = super().get_help_extra(ctx)
        extra.pop("range", None)
        return extra


def option(*names: str, **settings: Any) -> Callable[[F], F]:
    """Make an option that is also an environment variable, PREFLIGHT_<OPTION>."""
    first = names[0].partition("/")[0].removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=f"PREFLIGHT_{first}", show_envvar=True, cls=Option, **settings)


def typed(kind: str) -> Callable[[click.Context, click.Parameter, str], list[Any]]:
    """Return what completes a value of this kind (a function of `hints`); it is loaded when a shell asks."""

    def complete(context: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        from preflight.cli import completion

        return list(getattr(completion, kind)(context, param, incomplete))

    return complete


def read(module: str, function: str) -> Callable[[str], object]:
    """Return what reads a value, a function of a module in mailcow/; it is loaded when there is a value."""

    def accept(text: str) -> object:
        from importlib import import_module

        read_by: Callable[[str], object] = getattr(import_module(f"preflight.mailcow.{module}"), function)
        return read_by(text)

    return accept


def stack(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    def apply(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


def group(title: str, *decorators: Callable[[F], F]) -> Callable[[F], F]:
    """Return what adds these options, all in one section of the help."""

    def apply(function: F) -> F:
        made = stack(*decorators)(function)
        params: list[click.Parameter] = getattr(made, "__click_params__", [])
        for param in params[-len(decorators) :]:
            if isinstance(param, Option):
                param.group = title
        return made

    return apply
