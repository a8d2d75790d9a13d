"""What commands do: those that only look, ask or take away are never run for anybody."""

from __future__ import annotations

import pytest
from hypothesis import given

from preflight.render.commands import Line, appended, lines
from preflight.report.model import Remedy, Status
from tests.render.hostile import ANY

KINDS = {
    "run": (
        "systemctl disable --now exim4.service", "apt-get update && apt-get install -y git jq",
        "curl -fsSL https://get.docker.com/ | CHANNEL=stable sh", "echo 'a b' > /etc/x.conf", "sysctl -w a.b=1",
        "if dpkg -s docker-ce >/dev/null 2>&1; then apt-get install -y a; else apt-get install -y b; fi",
        "sed -i.bak 's/a/b/' /etc/hosts", "chronyc makestep", "docker restart x", "rm /etc/docker/daemon.json.new",
        "iptables -I DOCKER-USER -i br-mailcow -j RETURN", "sshd -t && systemctl reload ssh.service",
        "systemctl disable --now 'a; reboot.service'", "apk add chrony", "mount -o remount,rw /",
        "dockerd --validate --config-file /etc/docker/daemon.json && systemctl restart docker",
        "ss -tlnp > /root/ports", "docker network create x", "ip route add 192.0.2.0/24 dev eth0",
    ),
    "look": (
        "df -h /var/lib/docker", "df -i /", "du --inodes -xS / | sort -n | tail", "docker info", "docker ps --all",
        "systemctl status docker", "journalctl -u docker -n 50 --no-pager", "ip -6 route show table all", "sed -n 3p x",
        "nft -a list ruleset", "iptables -t nat -S 'x; reboot'", "ufw status verbose", "timedatectl timesync-status",
        "grep -rn . /etc/xinetd.d 2>/dev/null", "docker compose version", "ss -xlp | grep docker.sock",
        "docker system df",
    ),
    "ask": (
        "apt-get purge exim4", "apt-get update && apt-get dist-upgrade", "yum update kernel", "apk del exim4", "reboot",
        "dnf remove exim4", "docker rm old", "docker network rm old", "ip link delete br-mailcow", "kill 812",
        "apt-get install -t jessie-backports linux-image-amd64", "rm -r /var/lib/docker", "mv .env .env.old",
        "docker system prune -f", "apt-get autoremove -y", "rpm -e exim",
    ),
    "broken": ("kill 'a\nb'", "echo 'x", "x \x1b[31m", 'echo "', "x" * 5000, "a \u202e b", "a\tb"),
}  # fmt: skip


def kinds(*commands: str, status: Status = Status.FAIL, choice: bool = False) -> list[str]:
    remedy = Remedy("Do it.", commands, choice=True) if choice else Remedy("Do it.", commands)
    return [line.kind for line in lines(remedy, status)]


@pytest.mark.parametrize(("kind", "command"), [(kind, command) for kind in KINDS for command in KINDS[kind]])
def test_commands_are_told_apart(kind: str, command: str) -> None:
    assert kinds(command) == [kind]


@pytest.mark.parametrize(
    ("commands", "expected"),
    [
        (("systemctl disable --now exim4", "apt-get purge exim4"), ["run", "ask"]),
        (("apt-get purge podman-docker", "apt-get install -y docker-ce"), ["ask", "ask"]),  # it would not install
        (("apt-get install -y linux-image", "reboot"), ["run", "ask"]),
        (("docker info", "systemctl restart docker", "docker ps"), ["look", "run", "look"]),
        (("systemctl restart a", "echo 'x"), ["ask", "broken"]),
        (("cat > /etc/x <<EOF", "systemctl stop y", "EOF"), ["ask", "ask", "ask"]),
        ((), []),
    ],
)
def test_what_counts_on_a_command_that_is_not_run_is_not_run(commands: tuple[str, ...], expected: list[str]) -> None:
    assert kinds(*commands) == expected


def test_a_decision_of_a_person_is_not_taken() -> None:
    assert kinds("systemctl disable --now nginx", choice=True) == ["ask"]
    assert kinds("systemctl disable --now nginx", "ss -tln", choice=True) == ["ask", "look"]


@pytest.mark.parametrize(
    ("status", "expected"),
    [(Status.FAIL, ["run", "run"]), (Status.WARN, ["ask", "run"]), (Status.UNKNOWN, ["ask", "ask"])],
)
def test_only_what_fails_ends_what_runs(status: Status, expected: list[str]) -> None:
    assert kinds("systemctl disable --now openntpd", status=status) == expected[:1]
    assert kinds("systemctl restart chrony", status=status) == expected[1:]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("echo '/swapfile none swap defaults 0 0' >> /etc/fstab", ("/swapfile none swap defaults 0 0", "/etc/fstab")),
        ("echo x > /etc/fstab", None),
        ("echo x", None),
        ("echo -n x >> /etc/fstab", None),
        ("echo $x >> /etc/fstab", None),
        ("echo x y >> /etc/fstab", None),
        ("echo 'x >> y", None),
    ],
)
def test_lines_that_are_added_to_files_are_known(command: str, expected: tuple[str, str] | None) -> None:
    assert appended(command) == expected


@given(command=ANY)
def test_any_command_is_of_some_kind_and_stays_as_it_is(command: str) -> None:
    (line,) = lines(Remedy("Do it.", (command,)), Status.FAIL)
    assert line == Line(command, line.kind)
    assert line.kind == "broken" or command.isprintable()
