"""Do what a newcomer does: both commands of README.md, on a bare Debian, with a fresh clone of what is committed.

    python3 tools/newcomer.py [SUITE...]     default: bookworm trixie; exit code 0 where everything is as it should be

Each suite gets a root made by mmdebstrap, which holds what README.md asks for and nothing else, and namespaces of its
own for processes, mounts and the network. Of this machine it has what a company's own machines have: package sources,
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
from types import FrameType

from system import can_install, install, say

TREE = Path(__file__).resolve().parent.parent
SUITES = ("bookworm", "trixie")
ASKED_FOR = ("make", "python3", "python3-venv", "ca-certificates")  # by README.md
TOOLS = {"mmdebstrap": "mmdebstrap", "slirp4netns": "slirp4netns", "git": "git"}
PREFIX = "mailcow-preflight-newcomer."
PLACE = Path("/var/tmp")  # on a disk, and files there may be devices and programs
CLONE = "root/mailcow-preflight"
LIMIT = 90 * 60  # seconds for everything about one suite
BOOT_SECONDS, LEFT_SECONDS = 10, 5
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
KEPT_BACK = "-sys_time,-sys_module,-sys_boot"  # a newcomer does not steer the machine below
# The ways to the package indexes, where this machine has its own.
FORWARDED = re.compile(r"(?i:(https?|no|all)_proxy)|PIP_(INDEX_URL|EXTRA_INDEX_URL|TRUSTED_HOST|DEFAULT_TIMEOUT)")
AUTHORITIES = Path("/usr/local/share/ca-certificates")
PR_SET_PDEATHSIG = 1


class Failed(Exception):
    """Says what did not work."""


def commands() -> list[str]:
    """Read the commands that README.md gives to whoever has a fresh machine."""
    text = (TREE / "README.md").read_text()
    section = re.search(r"^## From a clone\n(.*?)^## ", text, re.MULTILINE | re.DOTALL)
    found = re.findall(r"^    (make .+)$", section[1], re.MULTILINE) if section else []
    if len(found) != 2:
        raise Failed(f"README.md has not the two commands on a fresh machine: {found}")
    return found


def bound() -> None:
    """Tie a new process to this one's life, and let it be interrupted (between fork and exec)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's jobs in the background ignore it, a login does not


def printed(*words: str) -> str:
    """Return what a program prints, '' where there is none."""
    with contextlib.suppress(FileNotFoundError):
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout
    return ""


def codename() -> str:
    """Return the name of this machine's own release."""
    found = re.search(r"^VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text(), re.MULTILINE)
    return found[1] if found else ""


def sources(suite: str) -> list[str]:
    """Return this machine's own sources of Debian's packages, for another suite; none: mmdebstrap's own."""
    told = printed(
        "apt-get", "indextargets", "--format", "$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)", "Created-By: Packages"
    )
    found = []
    for line in told.splitlines():
        origin, address, release, component = line.split("|")
        name, dash, rest = release.partition("-")
        if (origin, name, component) == ("Debian", codename(), "main") and rest in ("", "updates", "security"):
            found.append(f"deb {address} {suite}{dash}{rest} main")
    return list(dict.fromkeys(found))


def proxies() -> list[str]:
    """Return apt's proxies on this machine, as lines of apt.conf."""
    told = printed("apt-config", "dump", "--format", '%f "%v";%n', "Acquire::http::Proxy", "Acquire::https::Proxy")
    return [line for line in told.splitlines() if not line.endswith(' "";')]


class Newcomer:
    """A bare machine with a fresh clone; `with` ends it and removes all of it."""

    def __init__(self, suite: str) -> None:
        self.suite = suite
        self.began = time.monotonic()
        self.home = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}.", dir=PLACE))
        self.root = self.home / "root"
        self.clone = self.root / CLONE
        self.processes: list[subprocess.Popen[bytes]] = []
        self.pid = 0  # of its first process

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
        say(f"{self.suite}: making a bare root with {', '.join(ASKED_FOR)}")
        words = ["mmdebstrap", "-q", "--variant=minbase", f"--include={','.join(ASKED_FOR)}"]
        words += [f"--aptopt={line}" for line in proxies()]
        made = subprocess.run(
            [*words, self.suite, str(self.root), *sources(self.suite)], stdout=sys.stderr, check=False
        )
        if made.returncode:
            raise Failed("mmdebstrap could not make the root (see above)")
        if (settings := Path("/etc/pip.conf")).exists():
            shutil.copy(settings, self.root / "etc")
        for path in AUTHORITIES.glob("*.crt"):
            shutil.copy(path, self.root / AUTHORITIES.relative_to("/"))
        subprocess.run(["chroot", str(self.root), "update-ca-certificates"], capture_output=True, check=True)
        (self.root / "etc/resolv.conf").unlink(missing_ok=True)
        (self.root / "etc/resolv.conf").write_text("nameserver 10.0.2.3\n")  # slirp4netns asks this machine's own
        (self.root / "etc/hostname").write_text("newcomer\n")
        (self.root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n127.0.1.1 newcomer\n")
        # From outside: a bare machine has no git, and how the source came to it is not what is tried here.
        subprocess.run(["git", "clone", "-q", "--no-local", str(TREE), str(self.clone)], check=True)

    def boot(self) -> None:
        """Start the first process, and join its network to this machine's, which stays as it is."""
        namespaces = ["--mount", "--pid", "--uts", "--ipc", "--net", "--fork", "--kill-child"]
        script = ["sh", str(Path(__file__).with_suffix(".sh")), str(self.root)]
        outer = self.spawn(["setpriv", "--bounding-set", KEPT_BACK, "unshare", *namespaces, *script])
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")

        def first() -> bool:
            with contextlib.suppress(OSError):
                self.pid = int((children.read_text().split() or ["0"])[0])
                return Path(f"/proc/{self.pid}/comm").read_text() == "python3\n"
            return False

        self.wait(first, outer)
        wire = self.spawn(["slirp4netns", "--configure", "--disable-host-loopback", str(self.pid), "tap0"])
        self.wait(lambda: "tap0" in Path(f"/proc/{self.pid}/net/route").read_text(), wire)

    def wait(self, done: object, process: subprocess.Popen[bytes]) -> None:
        """Wait until `done()` is true; raise `Failed` where the process that brings it about ends, or it takes long."""
        assert callable(done)
        until = time.monotonic() + BOOT_SECONDS
        while not done():
            if process.poll() is not None or time.monotonic() > until:
                raise Failed("the machine did not start:\n" + (self.home / "log").read_text(errors="replace"))
            time.sleep(0.02)

    def spawn(self, words: list[str]) -> subprocess.Popen[bytes]:
        with (self.home / "log").open("ab") as log:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=bound)
        self.processes.append(process)
        return process

    def run(self, command: str) -> Iterator[str]:
        """Run a command in the clone, with what a login has; yield its lines, and its exit code as the last one."""
        ways = [f"{name}={value}" for name, value in os.environ.items() if FORWARDED.fullmatch(name)]
        words = ["nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-n", "-p", "env", "-i"]
        words += [f"PATH={PATH}", "HOME=/root", "TERM=dumb", *ways, "sh", "-c", f"cd /{CLONE} && {command}"]
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=bound
        )
        self.processes.append(process)

        def over(_number: int, _frame: FrameType | None) -> None:
            raise Failed(f"not done after {LIMIT // 60} min")

        signal.signal(signal.SIGALRM, over)
        signal.alarm(max(1, LIMIT - int(time.monotonic() - self.began)))
        try:
            assert process.stdout is not None
            for line in process.stdout:
                yield line.decode("utf-8", "replace").rstrip("\n")
            yield str(process.wait())
        finally:
            signal.alarm(0)

    def others(self) -> list[str]:
        """Name the processes on the machine beside its first one, after they had time to end."""
        own, until = os.readlink(f"/proc/{self.pid}/ns/pid"), time.monotonic() + LEFT_SECONDS
        while True:
            found = []
            for folder in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    if os.readlink(folder / "ns/pid") == own and folder.name != str(self.pid):
                        words = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                        found.append(words.decode("utf-8", "replace").strip()[:100])
            if not found or time.monotonic() > until:
                return found
            time.sleep(0.1)

    def stop(self) -> None:
        """End all processes: with the first one the kernel ends all others. Then remove the files."""
        with contextlib.suppress(ProcessLookupError):
            if self.pid:
                os.kill(self.pid, signal.SIGKILL)
        for process in reversed(self.processes):
            process.kill()
            process.wait()
        shutil.rmtree(self.home, ignore_errors=True)
        if self.home.exists():
            say(f"could not remove {self.home}")


def remove_forgotten() -> None:
    """Remove the files of runs that were killed outright; their process id stands in the names."""
    for home in PLACE.glob(f"{PREFIX}*"):
        if not Path("/proc", home.name.removeprefix(PREFIX).split(".")[0]).exists():
            shutil.rmtree(home, ignore_errors=True)


def judge_check(lines: list[str]) -> str:
    """Return the verdict that the first command printed, as its report's title."""
    ended = re.search(r"preflight ended with exit code ([013]):", "\n".join(lines))
    title = next((line for line in lines if line.startswith("# ")), None)
    if ended is None or title is None:
        raise Failed("the first command printed no verdict")
    return f"{title[2:]} (exit code {ended[1]})"


def judge_tests(lines: list[str], code: str) -> str:
    """Return how many tests ran; raise `Failed` where one failed, or a whole kind of them was left out."""
    counts: dict[str, int] = {}
    for line in lines:
        if match := re.match(r"(?:=+ )?((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s", line):
            for number, word in re.findall(r"(\d+) ([a-z]+)", match[1]):
                counts[word] = counts.get(word, 0) + int(number)
    told = ", ".join(f"{number} {word}" for word, number in counts.items()) or "no tests"
    left_out = [line for line in lines if re.match(r"==> SKIPPED:|==> some tests will be skipped", line)]
    if code != "0" or left_out or not counts.get("passed"):
        raise Failed("; ".join([f"the second command ended with {code}: {told}", *left_out]))
    lab = next((line for line in reversed(lines) if line.startswith("lab: ")), "")
    return told + (f"; {lab}" if lab else "")


def judge(suite: str) -> str:
    """Try one suite to the end; return what to say of it, or raise `Failed`."""
    told = []
    with Newcomer(suite) as machine:
        for number, command in enumerate(commands()):
            say(f"{suite}: {command}")
            lines, began = [], time.monotonic()
            for line in machine.run(command):
                lines.append(line)
                print(f"{suite} | {line}", flush=True)
            code = lines.pop()
            what = judge_tests(lines, code) if number else judge_check(lines)
            told.append(f"{what}, {time.monotonic() - began:.0f} s")
            say(f"{suite}: {told[-1]}")
        # Git's own word, with none of this machine's settings.
        changed = printed(
            "env", "GIT_CONFIG_GLOBAL=/dev/null", "git", "-C", str(machine.clone), "status", "--porcelain"
        )
        if changed:
            raise Failed(f"the clone is not clean:\n{changed}")
        if others := machine.others():
            raise Failed(f"processes were left: {'; '.join(others)}")
        seconds = time.monotonic() - machine.began
    return f"{'; '.join(told)}; the clone is clean, no process is left; {seconds / 60:.0f} min in all"


def main() -> int:
    if os.geteuid() != 0:
        sys.exit("newcomer: only root can make a machine")
    if missing := [package for command, package in TOOLS.items() if not shutil.which(command)]:
        if not can_install():
            sys.exit(f"newcomer: please install {' '.join(missing)}")
        install(missing)
    remove_forgotten()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    results: dict[str, tuple[str, str]] = {}
    try:
        for suite in sys.argv[1:] or SUITES:
            try:
                results[suite] = "PASSED", judge(suite)
            except Failed as error:
                results[suite] = "FAILED", str(error)
    except KeyboardInterrupt:
        return 130
    finally:
        for suite, (word, text) in results.items():
            say(f"{suite}: {word}: {text}")
    return 0 if all(word == "PASSED" for word, _ in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
