"""Do what a newcomer does: both commands of README.md, on a bare Debian, with a fresh clone of what is committed.

    python3 tools/newcomer.py [SUITE...]     default: bookworm trixie; exit code 0 where all of them are as they should be

Each suite gets a root made by mmdebstrap, which holds what README.md asks for and nothing else, and namespaces of its
own for processes, mounts and the network. Of this machine it has what a company's own would have: package sources,
proxies, certificate authorities. Judged are the verdict, the tests that ran, the clone afterwards and the processes
left. Whatever ends this program ends all of it; of one that was killed outright the next run removes the files.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from system import can_install, install, say

TREE = Path(__file__).resolve().parent.parent
SUITES = ("bookworm", "trixie")
ASKED_FOR = ("make", "python3", "python3-venv", "ca-certificates")  # by README.md
PREFIX = "mailcow-preflight-newcomer."
CLONE = "root/mailcow-preflight"
LIMIT = 90 * 60  # seconds for all that happens with one suite
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# The machine below is no newcomer's to steer: its clock, its modules, its end.
KEPT_BACK = "-sys_time,-sys_module,-sys_boot"
TOOLS = {"mmdebstrap": "mmdebstrap", "slirp4netns": "slirp4netns", "git": "git"}
# Ways to the package indexes, where they are this machine's own.
FORWARDED = re.compile(
    r"(?i)(https?|no|all)_proxy|pip_(index_url|extra_index_url|trusted_host|default_timeout|retries)"
)
FILES = (Path("/etc/pip.conf"),)
AUTHORITIES = Path("/usr/local/share/ca-certificates")
SUMMARY = re.compile(r"^=* ?((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s")
SCRIPT = Path(__file__).with_suffix(".sh")
PR_SET_PDEATHSIG = 1


class Failed(Exception):
    """Says what did not work."""


def commands() -> list[str]:
    """Read the commands that README.md gives to whoever has a fresh machine."""
    text = (TREE / "README.md").read_text()
    section = re.search(r"^## On a fresh machine\n(.*?)^## ", text, re.MULTILINE | re.DOTALL)
    found = re.findall(r"^    (make .+)$", section[1], re.MULTILINE) if section else []
    if len(found) != 2:
        raise Failed(f"README.md: two commands were expected under 'On a fresh machine', found {found}")
    return found


def bound() -> None:
    """Tie a new process to this one's life (between fork and exec)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's jobs in the background ignore it, a login does not


class Clock:
    """What is left of the time for one suite."""

    def __init__(self, seconds: float) -> None:
        self.began = time.monotonic()
        self.until = self.began + seconds

    def __str__(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self.began), 60)
        return f"{minutes} min {seconds} s"

    def left(self) -> float:
        if (left := self.until - time.monotonic()) <= 0:
            raise Failed(f"not done after {self}")
        return left


def sources(suite: str) -> list[str]:
    """Return this machine's own sources of Debian's packages, for another suite; none where it has none."""
    here = re.search(r"^VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text(), re.MULTILINE)
    form = "$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)"
    told = subprocess.run(
        ["apt-get", "indextargets", "--format", form, "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    found = []
    for line in told.splitlines():
        origin, address, release, component = line.split("|")
        name, dash, rest = release.partition("-")
        if (
            here
            and origin == "Debian"
            and name == here[1]
            and component == "main"
            and rest in ("", "updates", "security")
        ):
            found.append(f"deb {address} {suite}{dash}{rest} main")
    return list(dict.fromkeys(found))


class Newcomer:
    """A bare machine with a fresh clone; `with` ends it and removes all of it."""

    def __init__(self, suite: str) -> None:
        self.suite = suite
        self.clock = Clock(LIMIT)
        self.home = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}.", dir="/var/tmp"))
        self.root = self.home / "root"
        self.clone = self.root / CLONE
        self.processes: list[subprocess.Popen[bytes]] = []
        self.pid = 0

    def __enter__(self) -> Newcomer:
        try:
            self.furnish()
            self.boot()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def furnish(self) -> None:
        """Make the root, with this machine's own ways to the package indexes, and clone into it."""
        say(f"{self.suite}: a bare root with {', '.join(ASKED_FOR)}")
        proxies = subprocess.run(
            ["apt-config", "dump", "--format", '%f "%v";%n', "Acquire::http::Proxy", "Acquire::https::Proxy"],
            capture_output=True, text=True, check=False,
        ).stdout.splitlines()  # fmt: skip
        options = [f"--aptopt={line}" for line in proxies if not line.endswith(' "";')]
        words = ["mmdebstrap", "-q", "--variant=minbase", *options, f"--include={','.join(ASKED_FOR)}"]
        done = subprocess.run(
            [*words, self.suite, str(self.root), *sources(self.suite)], stdout=sys.stderr, check=False
        )
        if done.returncode:
            raise Failed("mmdebstrap could not make the root (see above)")
        for path in FILES:
            if path.exists():
                shutil.copy(path, self.root / path.relative_to("/"))
        for path in AUTHORITIES.glob("*.crt"):
            shutil.copy(path, self.root / AUTHORITIES.relative_to("/"))
        subprocess.run(["chroot", str(self.root), "update-ca-certificates"], stdout=subprocess.DEVNULL, check=True)
        # Cloned from outside: how the source came to a machine is not what is tried here.
        subprocess.run(["git", "clone", "-q", "--no-local", str(TREE), str(self.clone)], check=True)
        (self.root / "etc/resolv.conf").unlink(missing_ok=True)
        (self.root / "etc/resolv.conf").write_text("nameserver 10.0.2.3\n")  # slirp4netns asks this machine's own
        (self.root / "etc/hostname").write_text("newcomer\n")
        (self.root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n127.0.1.1 newcomer\n")

    def boot(self) -> None:
        """Start the first process, and join its network to this machine's without changing that one."""
        namespaces = ["--mount", "--pid", "--uts", "--ipc", "--net", "--fork", "--kill-child"]
        unshare = self.spawn(
            ["setpriv", "--bounding-set", KEPT_BACK, "unshare", *namespaces, "sh", str(SCRIPT), str(self.root)]
        )
        children = Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children")
        until = time.monotonic() + 10
        while True:
            if unshare.poll() is not None or time.monotonic() > until:
                raise Failed("the machine did not start:\n" + (self.home / "log").read_text(errors="replace"))
            with contextlib.suppress(OSError, IndexError):
                self.pid = int(children.read_text().split()[0])
                if Path(f"/proc/{self.pid}/comm").read_text().startswith("python3"):
                    break
            time.sleep(0.02)
        subprocess.run(
            ["nsenter", "-t", str(self.pid), "-n", "sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6"],
            check=False,
        )
        self.spawn(["slirp4netns", "--configure", "--disable-host-loopback", str(self.pid), "tap0"])
        while "tap0" not in Path(f"/proc/{self.pid}/net/route").read_text():
            if time.monotonic() > until:
                raise Failed("no network:\n" + (self.home / "log").read_text(errors="replace"))
            time.sleep(0.02)

    def spawn(self, words: list[str]) -> subprocess.Popen[bytes]:
        with (self.home / "log").open("ab") as log:
            self.processes.append(
                subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=bound)
            )
        return self.processes[-1]

    def run(self, command: str) -> Iterator[str]:
        """Run a command in the clone as a login would; give its lines, and as the last one its exit code."""
        ways = [f"{name}={value}" for name, value in os.environ.items() if FORWARDED.fullmatch(name)]
        words = ["nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-n", "-p", "env", "-i"]
        words += [f"PATH={PATH}", "HOME=/root", "TERM=dumb", *ways, "sh", "-c", f"cd /{CLONE} && {command}"]
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=bound
        )
        self.processes.append(process)
        signal.signal(signal.SIGALRM, lambda *_: process.kill())
        signal.alarm(int(self.clock.left()) + 1)
        assert process.stdout is not None
        for line in process.stdout:
            yield line.decode("utf-8", "replace").rstrip("\n")
        code = process.wait()
        signal.alarm(0)
        self.clock.left()
        yield str(code)

    def others(self) -> list[str]:
        """Name the processes on the machine beside its first one, after they had time to end."""
        own = os.readlink(f"/proc/{self.pid}/ns/pid")
        until = time.monotonic() + 5
        while True:
            found = []
            for folder in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    if os.readlink(folder / "ns/pid") == own and folder.name != str(self.pid):
                        words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                        found.append(words.strip()[:100])
            if not found or time.monotonic() > until:
                return found
            time.sleep(0.1)

    def stop(self) -> None:
        """End all processes: with the first one the kernel ends all others. Then remove the files."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        for process in reversed(self.processes):
            process.kill()
            process.wait()
        erase(self.home)


def erase(home: Path) -> None:
    for path in reversed([line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]):
        assert not path.startswith(f"{home}/"), path  # its mounts are its own, and gone with it
    shutil.rmtree(home, ignore_errors=True)


def erase_forgotten() -> None:
    """Remove the files of runs that were killed outright; their process id stands in the names."""
    for home in Path("/var/tmp").glob(f"{PREFIX}*"):
        if not Path("/proc", home.name.removeprefix(PREFIX).split(".")[0]).exists():
            erase(home)


def judge_check(lines: list[str]) -> str:
    """Return the verdict that the first command printed."""
    ended = next(
        (m for line in reversed(lines) if (m := re.search(r"preflight ended with exit code (\d+)", line))), None
    )
    verdict = next(
        (m for line in lines if (m := re.search(r"^\W*(?:Verdict: )?\W*((?:Not r|R)eady|Undetermined)", line, re.I))),
        None,
    )
    if ended is None or ended[1] not in ("0", "1", "3") or verdict is None:
        raise Failed("the first command printed no verdict")
    return f"{verdict.string.strip()} (exit code {ended[1]})"


def judge_tests(lines: list[str], code: str) -> str:
    """Return how many tests ran; raise `Failed` where one failed, or a whole kind of them was left out."""
    counts: dict[str, int] = {}
    for line in lines:
        if match := SUMMARY.match(line):
            for number, word in re.findall(r"(\d+) ([a-z]+)", match[1]):
                counts[word] = counts.get(word, 0) + int(number)
    told = ", ".join(f"{number} {word}" for word, number in counts.items()) or "no tests"
    left_out = [line for line in lines if "SKIPPED: " in line or "tests will be skipped" in line]
    if code != "0" or left_out or not counts.get("passed"):
        raise Failed("; ".join([f"the second command ended with {code}: {told}", *left_out]))
    return told


def judge(suite: str) -> str:
    """Try one suite to the end; return what to say of it, or raise `Failed`."""
    first, second = commands()
    with Newcomer(suite) as machine:
        told = []
        for command in (first, second):
            say(f"{suite}: {command}")
            began = time.monotonic()
            lines = []
            for line in machine.run(command):
                print(f"{suite} | {line}", flush=True)
                lines.append(line)
            code = lines.pop()
            told.append(judge_check(lines) if command is first else judge_tests(lines, code))
            told[-1] += f", {time.monotonic() - began:.0f} s"
            say(f"{suite}: {told[-1]}")
        changed = subprocess.run(
            ["git", "-C", str(machine.clone), "status", "--porcelain"], capture_output=True, text=True, check=True
        ).stdout
        if changed:
            raise Failed(f"the clone is not clean:\n{changed}")
        if others := machine.others():
            raise Failed(f"processes were left: {'; '.join(others)}")
        return f"{'; '.join(told)}; the clone is clean, no process is left; {machine.clock} in all"


def main() -> int:
    if os.geteuid() != 0:
        sys.exit("newcomer: only root can make a machine")
    if missing := [package for command, package in TOOLS.items() if not shutil.which(command)]:
        if not can_install():
            sys.exit(f"newcomer: please install {' '.join(missing)}")
        install(missing)
    erase_forgotten()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    results = {}
    for suite in sys.argv[1:] or SUITES:
        try:
            results[suite] = (True, judge(suite))
        except Failed as error:
            results[suite] = (False, str(error))
    for suite, (good, text) in results.items():
        say(f"{suite}: {'PASSED' if good else 'FAILED'}: {text}")
    return 0 if all(good for good, _ in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
