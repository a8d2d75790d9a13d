"""The promise that advice is safe: what breaks it is seen, and no remedy of a recorded host does."""

from __future__ import annotations

from pathlib import Path

import pytest

from preflight.checks import catalogue
from preflight.facts import OsRelease, Services
from preflight.report.documents import read_facts
from preflight.report.model import Remedy, WrittenFile
from tests import advice, build

HOSTS = sorted(path for path in (Path(__file__).parent / "hosts").glob("*.json") if ".report." not in path.name)
DEBIAN = build.host(
    os_release=OsRelease("debian", "13", (), "Debian GNU/Linux 13 (trixie)", "trixie"), services=Services("systemd", ())
)


@pytest.mark.parametrize(
    ("commands", "why"),
    [
        (["systemctl disable --now ssh.service"], "the way in"),
        (["systemctl stop sshd"], "the way in"),
        (["rc-service sshd stop"], "the way in"),
        (["service ssh stop"], "the way in"),
        (["systemctl mask wg-quick@wg0"], "the way in"),
        (["true && systemctl disable --now 'ssh.socket'"], "the way in"),
        (["kill 812"], "killed"),
        (["ufw disable"], "protects"),
        (["systemctl disable --now firewalld"], "protects"),
        (["systemctl stop netfilter-persistent.service"], "protects"),
        (["iptables -F"], "protects"),
        (["nft flush ruleset"], "protects"),
        (["csf -x"], "protects"),
        (["ip6tables-legacy -X DOCKER-USER"], "protects"),
        (["iptables -P FORWARD ACCEPT"], "protects"),
        (["iptables -t raw -D PREROUTING 3"], "protects"),
        (["iptables-restore < /etc/iptables/rules.v4"], "protects"),
        (["iptables -I FORWARD -j ACCEPT"], "all packets"),
        (["ip6tables -I DOCKER-USER 2 -j RETURN"], "all packets"),
        (["iptables -A FORWARD -p tcp -j ACCEPT"], "all packets"),
        (["nft 'flush ruleset'"], "protects"),
        (["nft delete rule inet filter forward handle 12"], "protects"),
        (["nft 'insert rule inet filter forward position 12 accept'"], "protects"),
        (["nft 'chain inet filter forward { policy accept; }'"], "protects"),
        (["ufw default allow routed"], "protects"),
        (["ufw --force delete 3"], "protects"),
        (["firewall-cmd --panic-on"], "protects"),
        (["firewall-cmd --permanent --zone=public --set-target=ACCEPT"], "protects"),
        (["firewall-cmd --remove-rich-rule=x"], "protects"),
        (["fail2ban-client unban --all"], "protects"),
        (["cscli decisions delete --all"], "protects"),
        (["shorewall clear"], "protects"),
        (["systemctl restart firewalld"], "protects"),
        (["sysctl -w net.ipv4.conf.all.rp_filter=0"], "protects"),
        (["apt-get purge exim4-base"], "before it is stopped"),
        (["systemctl disable --now exim4", "apt-get purge -y exim4-base"], "without being asked"),
        (["systemctl disable --now x", "apt-get purge openssh-server"], "lives on"),
        (["rm -rf /var/lib/docker"], "gone for good"),
        (["jq . a > a.new", "rm a"], "gone for good"),
        (["mkfs.ext4 /dev/sdb"], "gone for good"),
        (["dd if=/dev/zero of=/dev/sda"], "overwritten"),
        (["docker volume rm mailcowdockerized_vmail-vol-1"], "somebody's data"),
        (["docker system prune -a"], "gone"),
        (["docker compose down -v"], "gone"),
        (["reboot", "true"], "before the last"),
        (["dnf install -y jq"], "no such package manager"),
        (["rc-update add docker"], "this host has systemd"),
        (["ip addr add <address> dev eth0"], "left to fill in"),
        (["echo 'a"], "no shell reads"),
        ([" "], "empty"),
    ],
)
def test_what_harms_is_seen(commands: list[str], why: str) -> None:
    faults = advice.faults_of(Remedy("Do it.", tuple(commands)), DEBIAN)
    assert any(why in fault for fault in faults), faults


@pytest.mark.parametrize(
    "commands",
    [
        ["systemctl disable --now exim4.service", "apt-get purge exim4-base"],
        ["systemctl restart ssh", "sshd -t"],
        ["apt-get update && apt-get install -y jq git"],
        ["cat > /etc/x.conf <<'END'\nsystemctl stop ssh\nEND", "systemctl restart docker"],
        ["apt-get dist-upgrade", "reboot"],
        ["jq . a > a.new && cat a.new > a && rm a.new"],
        ["iptables -I FORWARD 2 -o br-mailcow -p tcp -m multiport --dports 25,80 -j ACCEPT"],
        ["nft 'insert rule inet filter forward position 12 tcp dport 25 accept'"],
        ["ufw route allow in on br-mailcow", "firewall-cmd --permanent --policy=mailcow-out --set-target=ACCEPT"],
        ["firewall-cmd --reload", "csf -r", "shorewall check && shorewall reload", "fail2ban-client banned"],
        ["sysctl -w net.ipv4.conf.eth0.rp_filter=2"],
    ],
)
def test_what_harms_nobody_is_let_through(commands: list[str]) -> None:
    assert advice.faults_of(Remedy("Do it.", tuple(commands)), DEBIAN) == []


SETTING = "echo 'a b' > /etc/x.conf"
PAIR = "printf '%s\\n' a b | tee /etc/x.conf > /etc/y.conf"


@pytest.mark.parametrize(
    ("command", "files"),
    [
        (SETTING, {"/etc/x.conf": "a b\n"}),
        (PAIR, {"/etc/x.conf": "a\nb\n", "/etc/y.conf": "a\nb\n"}),
        ("(set -C; printf '%s\\n' 'a: <b' > /opt/x.yml)", {"/opt/x.yml": "a: <b\n"}),
        ("echo a >> /etc/fstab", {}),
        ('echo "$(dpkg --print-architecture)" > /etc/x.conf', {}),
        ("jq . /etc/a > /etc/b", {}),
        ("true > /dev/null 2>&1", {}),
    ],
)
def test_files_that_are_written_are_told_as_data(command: str, files: dict[str, str]) -> None:
    told = tuple(WrittenFile(path, text) for path, text in files.items())
    assert advice.faults_of(Remedy("Do it.", (command,), files=told), DEBIAN) == []


@pytest.mark.parametrize(
    ("command", "files", "why"),
    [
        (SETTING, {}, "not among those of the remedy: /etc/x.conf"),
        (PAIR, {"/etc/y.conf": "a\nb\n"}, "not among those of the remedy: /etc/x.conf"),
        (SETTING, {"/etc/x.conf": "a b"}, "not what the commands write into /etc/x.conf: 'a b'"),
        ("true", {"/etc/x.conf": "a"}, "not what the commands write into /etc/x.conf: 'a'"),
        ("echo a >> /etc/x.conf", {"/etc/x.conf": "a\n"}, "not what the commands write into /etc/x.conf"),
    ],
)
def test_a_file_without_data_is_seen_and_data_without_a_file(command: str, files: dict[str, str], why: str) -> None:
    told = tuple(WrittenFile(path, text) for path, text in files.items())
    (fault,) = advice.faults_of(Remedy("Do it.", (command,), files=told), DEBIAN)
    assert why in fault


def test_records_of_others_are_not_entered_by_commands_on_the_host() -> None:
    remedy = Remedy("Enter it.", ("echo",), place="dns")
    assert advice.faults_of(remedy, None)


@pytest.mark.parametrize("path", HOSTS, ids=lambda path: path.stem)
def test_no_remedy_for_a_recorded_host_harms_it(path: Path) -> None:
    given = build.look(read_facts(path))
    remedies = [result.remedy for entry in catalogue() for result in build.run(entry.id, given)]
    assert any(remedies), "nothing is wrong with this host, so it tells nothing here"


@pytest.mark.parametrize(
    ("commands", "looks"),
    [
        ([], True),
        (["ip -brief address", "ss -tlnp 'sport = :25'"], True),
        (["df -h /", "docker system df"], True),
        (["df -i /", "du --inodes -xS / | sort -n | tail"], True),
        (["sed -n 5p /opt/mailcow.conf"], True),
        (["sed -i s/a/b/ /opt/mailcow.conf"], False),
        (["docker compose -p x down"], False),
        (["docker ps --filter publish=25"], True),
        (["echo x > /etc/x"], False),
        (["journalctl -u docker -n 50 --no-pager", "systemctl restart docker"], False),
        (["ufw status verbose", "nft list ruleset", "iptables-save", "csf -l", "shorewall show"], True),
        (["ufw disable"], False),
        (["firewall-cmd --reload"], False),
    ],
)
def test_commands_that_only_look_are_told_from_others(commands: list[str], looks: bool) -> None:
    assert advice.only_looks(Remedy("Look.", tuple(commands))) is looks
