"""The start of the program: what is loaded late, and that it is then the real thing."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

STAND_IN = "import sys; import preflight.__main__ as start; sys.modules['inspect'] = start.Later('inspect'); "


def said(program: str) -> str:
    run = subprocess.run(
        [sys.executable, "-I", "-c", STAND_IN + program], capture_output=True, text=True, timeout=60, check=True
    )  # fmt: skip
    return run.stdout.strip()


def test_a_check_does_without_inspect() -> None:
    """The tests' own environment has typing_extensions, which msgspec takes where it is, and which needs it too."""
    argv = "['preflight', 'check', '--facts', '/dev/null', '--only', 'clock.*']"
    program = f"sys.modules['typing_extensions'] = None; import preflight.cli.commands; sys.argv = {argv}; "
    program += "code = preflight.cli.commands.run(); print(code, 'dis' in sys.modules)"
    assert said(program) == "2 False"


def test_what_is_loaded_late_is_the_module_itself() -> None:
    program = "import inspect; from inspect import cleandoc; print(cleandoc('  a'), sys.modules['inspect'].__file__)"
    assert said(program).startswith("a /")
    assert said("import inspect; print(inspect.isclass(int), inspect is not sys.modules['inspect'])") == "True True"


def test_many_threads_get_one_module() -> None:
    program = (
        "import threading; stood = sys.modules['inspect']; got = []; "
        "ts = [threading.Thread(target=lambda: got.append(stood.Signature)) for _ in range(20)]; "
        "[t.start() for t in ts]; [t.join() for t in ts]; "
        "import inspect; print(len(got), {*got} == {inspect.Signature})"
    )
    assert said(program) == "20 True"


def test_help_needs_it_and_is_tidy() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "preflight", "explain", "--help"], capture_output=True, text=True, timeout=60, check=True
    )
    assert "\n  Explain a check: " in run.stdout
    assert "-h, --help  Show this help and exit." in run.stdout


def test_a_check_loads_no_room_that_it_does_not_enter(tree: Path, tmp_path: Path) -> None:
    """Each of them would cost some hundredths of a run; the facts are read, judged and written as JSON."""
    words = ["check", "--facts", tree / "tests/hosts/debian12-nested.json", "--output", tmp_path / "report.json"]
    argv = ["preflight", *map(str, words)]
    strangers = (
        "preflight.redact", "preflight.report.compare", "preflight.assess.waiver_file", "preflight.probes", "jinja2",
        "rich", "docker", "requests", "dns", "psutil", "dataclasses", "asyncio", "json",
        "logging", "subprocess",
    )  # fmt: skip
    shown = f"print(*set({strangers}) & set(sys.modules))"
    program = f"import preflight.cli.commands as cli; sys.argv = {argv}; cli.run(); {shown}"
    assert said(program) == ""
    assert (tmp_path / "report.json").stat().st_size > 10_000


INTERRUPTED = """
import preflight.__main__ as start, os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "{module}":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
sys.argv = ["preflight", "--version"]
start.main()
"""


@pytest.mark.parametrize(
    "module", ["preflight.cli.commands", "click", "msgspec", "preflight.checks", "preflight.cli.options"]
)
@pytest.mark.parametrize(("ignored", "code", "out"), [(False, 130, b""), (True, 0, b"mailcow-preflight, version")])
def test_an_interrupt_while_modules_are_imported_shows_no_traceback(
    module: str, ignored: bool, code: int, out: bytes
) -> None:
    """It ends the program without a word; where nohup or a shell's background job ignores it, nothing happens."""
    way = signal.SIG_IGN if ignored else signal.SIG_DFL
    run = subprocess.run(
        [sys.executable, "-c", INTERRUPTED.format(module=module)],
        capture_output=True, timeout=60, check=False, preexec_fn=lambda: signal.signal(signal.SIGINT, way),
    )  # fmt: skip
    assert (run.returncode, run.stderr) == (code, b"")
    assert run.stdout.startswith(out)
