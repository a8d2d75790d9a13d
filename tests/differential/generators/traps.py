"""Traps made by hand, one to three at once: what copying, sending or naming has been wrong about, or might be."""

from __future__ import annotations

from random import Random

from tests.differential.cases import Case, Step
from tests.differential.generators.common import case

N = "nft"
I4 = "iptables-nft"
I6 = "ip6tables-nft"
L4 = "iptables-legacy"
C25, C143 = "172.22.1.253", "172.22.1.250"
F10 = "{ type filter hook forward priority -10 ; policy %s ; }"
PRE = "{ type filter hook prerouting priority %s ; policy accept ; }"
# Each: what is put in place, in the order of its programs.
TRAPS: dict[str, tuple[tuple[str, ...], ...]] = {
    "policy": ((N, "add table inet a", "add chain inet a f " + F10 % "drop", "add rule inet a f tcp dport 25 counter accept", "add rule inet a f ct state established,related counter accept"),),
    "equal priorities": ((N, *(line for name, end in (("a", "drop"), ("b", "reject")) for line in (f"add table inet {name}", f"add chain inet {name} f " + F10 % "accept", f"add rule inet {name} f tcp dport {{ 25, 993 }} counter {end}"))),),
    "verdict map": ((N, "add table ip a", "add map ip a m { type inet_service : verdict; }", "add element ip a m { 25 : drop, 443 : accept }", "add chain ip a f " + F10 % "accept", "add rule ip a f counter tcp dport vmap @m"),),
    "concatenation": ((N, "add table ip a", "add set ip a s { type ipv4_addr . inet_service; flags interval; }", f"add element ip a s {{ {C25}/31 . 20-30, 172.22.1.0/25 . 443 }}", "add chain ip a f " + F10 % "accept", "add rule ip a f ip daddr . tcp dport @s counter drop"),),
    "comment": ((N, "add table inet a", "add chain inet a f " + F10 % "accept", 'add rule inet a f tcp dport 25 counter drop comment "a {b} \'c\' ; # -j DROP"'),),
    "chain within": ((N, "add table inet a", "add chain inet a f " + F10 % "accept", "add rule inet a f tcp dport 143 counter jump { tcp flags syn counter drop ; }"),),
    "dormant": ((N, "add table inet a { flags dormant ; }", "add chain inet a f " + F10 % "drop"),),
    "queue": ((N, "add table inet a", "add chain inet a f " + F10 % "accept", "add rule inet a f tcp dport 25 counter queue num 5", "add rule inet a f tcp dport 143 counter queue num 5 bypass"),),
    "no tracking": ((I4, "raw -A PREROUTING -p tcp -m tcp --dport 25 -j CT --notrack"),),
    "sent elsewhere": ((I4, f"nat -I PREROUTING -p tcp -m tcp --dport 25 -j DNAT --to-destination {C143}:143", "nat -I PREROUTING -i eth0 -p tcp -m tcp --dport 443 -j REDIRECT --to-ports 9443"),),
    "white list": ((I4, "filter -I DOCKER-USER -i eth0 ! -s 45.0.0.0/8 -j DROP"),),
    "black list": ((N, "add table inet a", "add set inet a bad { type ipv4_addr; flags interval; auto-merge; }", "add element inet a bad { 45.0.0.0/8, 5.188.0.0/16, 91.240.118.0/24 }", "add chain inet a p " + PRE % "-300", "add rule inet a p ip saddr @bad counter drop"),),
    "learning": ((N, "add table inet a", "add set inet a l { type ipv4_addr; flags dynamic,timeout; timeout 1h; }", "add chain inet a p " + PRE % "-300", "add rule inet a p tcp dport 25 counter add @l { ip saddr }", "add rule inet a p ip saddr @l tcp dport 4190 counter drop"),),
    "native among iptables": ((N, "insert rule ip filter FORWARD tcp dport { 25, 465 } ct state new counter drop", "insert rule ip filter DOCKER-USER ip saddr 45.0.0.0/8 counter drop"),),
    "prohibit": (("ip", "rule add iif eth0 ipproto tcp dport 25 prohibit priority 50", "rule add from 172.22.1.0/24 ipproto tcp sport 143 blackhole priority 51"),),
    "no way out": (("ip", "route add blackhole default table 77", "rule add from 172.22.1.0/24 lookup 77 priority 60"),),
    "forwarding": (("sysctl", "net.ipv4.ip_forward=0"),),
    "forwarding of one": (("sysctl", "net.ipv4.conf.eth0.forwarding=0"),),
    "strict": (("sysctl", "net.ipv4.conf.all.rp_filter=1"), ("ip", "rule add iif eth0 lookup 78 priority 61", "route add default dev docker0 table 78")),
    "flushed": ((N, "flush ruleset"),),
    "forward flushed": ((I4, "filter -F FORWARD"),),
    "nat flushed": ((I4, "nat -F POSTROUTING"),),
    "docker's chain flushed": ((I4, "nat -F DOCKER"),),
    "flowtable": ((N, "add table inet a", 'add flowtable inet a ft { hook ingress priority 0 ; devices = { "eth0" } ; }', "add chain inet a f " + F10 % "accept", "add rule inet a f tcp dport { 25, 443 } counter flow add @ft", "add rule inet a f tcp dport 993 counter drop"),),
    "objects": ((N, "add table inet a", "add counter inet a c25", "add quota inet a q { over 500 mbytes ; }", 'add ct helper inet a h { type "ftp" protocol tcp ; }', "add chain inet a f " + F10 % "accept", 'add rule inet a f tcp dport 25 counter name "c25" counter drop'),),
    "zones": ((N, "add table inet a", "add chain inet a p " + PRE % "-300", 'add rule inet a p iifname "eth0" counter ct zone original set 5'),),
    "routed by mark": ((N, "add table ip a", "add chain ip a p " + PRE % "-150", "add rule ip a p tcp dport 993 counter meta mark set 7"), ("ip", "rule add fwmark 7 prohibit priority 70")),
    "egress": ((N, "add table netdev a", 'add chain netdev a e { type filter hook egress device "eth0" priority 0 ; policy accept ; }', "add rule netdev a e tcp sport 25 counter drop", "add rule netdev a e tcp dport 25 counter drop"),),
    "ingress": ((N, "add table netdev a", 'add chain netdev a i { type filter hook ingress device "eth0" priority -500 ; policy accept ; }', "add rule netdev a i tcp dport { 25, 587 } tcp flags syn counter drop"),),
    "stateless": ((N, "add table ip a", "add chain ip a p " + PRE % "-350", f"add rule ip a p tcp dport 4190 counter ip daddr set {C143} notrack"),),
    "copied": ((N, "add table ip a", "add chain ip a p " + PRE % "-250", 'add rule ip a p iifname "eth0" tcp dport 25 counter dup to 198.51.100.77 device "eth0"'),),
    "neighbours": ((N, "add table ip6 a", "add chain ip6 a i { type filter hook input priority 0 ; policy accept ; }", "add rule ip6 a i icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } counter drop"),),
    "addresses asked": ((N, "add table arp a", "add chain arp a i { type filter hook input priority 0 ; policy accept ; }", 'add rule arp a i iifname "eth0" arp operation request counter drop'),),
    "input6": ((I6, "filter -P INPUT DROP", "filter -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"),),
    "conntrack state": ((I4, "mangle -A PREROUTING -p tcp -m tcp ! --syn -m conntrack --ctstate NEW -j DROP", "mangle -A PREROUTING -m conntrack --ctstate INVALID -j DROP"),),
    "answers": ((I4, f"mangle -A FORWARD -s {C25}/32 -p tcp -m tcp --sport 25 -j DROP", "mangle -A POSTROUTING -o eth0 -p tcp -m tcp --sport 143 -j DROP"),),
    "first port": ((I4, "filter -I DOCKER-USER -i eth0 -m conntrack --ctorigdstport 443 --ctdir ORIGINAL -j DROP", "filter -I DOCKER-USER -i eth0 -m conntrack --ctstate NEW --ctorigdstport 25 -j REJECT --reject-with tcp-reset"),),
    "both families": ((N, "add table inet a", "add chain inet a f " + F10 % "accept", "add rule inet a f meta nfproto vmap { ipv4 : continue, ipv6 : drop }", "add rule inet a f tcp dport 995 counter reject with icmpx type port-unreachable"),),
    "legacy beside": ((L4, "filter -A FORWARD -p tcp -m multiport --dports 25,80 -j DROP", "filter -P FORWARD ACCEPT"),),
    "legacy policy": ((L4, "filter -P FORWARD DROP"),),
    "random": ((N, "add table inet a", "add chain inet a f " + F10 % "accept", "add rule inet a f tcp dport 25 numgen random mod 2 0 counter drop"),),
    "limit": ((I4, "filter -I DOCKER-USER -p tcp -m tcp --dport 25 -m limit --limit 1/hour --limit-burst 1 -j RETURN", "filter -I DOCKER-USER 2 -p tcp -m tcp --dport 25 -j DROP"),),
    "log limit": ((I4, 'filter -I DOCKER-USER -i eth0 -p tcp -m tcp --dport 25 -m limit --limit 1/min -j LOG --log-prefix "x "'),),
    "next hops": (("ip", "nexthop add id 7 via 198.51.100.1 dev eth0", "route replace default nhid 7"),),
    "two ways": (("ip", "route replace default nexthop via 198.51.100.1 dev eth0 weight 1 nexthop via 198.51.100.1 dev eth0 weight 2"),),
    "metric": (("ip", "route add default via 198.51.100.77 dev eth0 metric 500", "route add 128.0.0.0/1 via 198.51.100.1 dev eth0"),),
    "more addresses": (("ip", "address add 198.51.100.6/24 dev eth0", "address add 203.0.113.9/32 dev lo", "address add 10.7.7.7/24 dev docker0"),),
    "bridge family": ((N, "add table bridge a", "add chain bridge a f { type filter hook prerouting priority 0 ; policy accept ; }", "add rule bridge a f tcp dport 25 counter drop"),),
    "old bindings": ((I4, "mangle -A PREROUTING -p tcp -m tcp --dport 25 -j MARK --set-xmark 0x5/0xffffffff", "mangle -A FORWARD -m mark --mark 0x5 -j CONNMARK --save-mark", "filter -I DOCKER-USER -m connmark --mark 0x5 -j REJECT --reject-with icmp-port-unreachable"),),
    "transparent": ((I4, "mangle -A PREROUTING -p tcp -m tcp --dport 80 -j TPROXY --on-port 3129 --on-ip 127.0.0.1 --tproxy-mark 0x1"),),
    "source on the way in": ((I4, "nat -I POSTROUTING -o br-mailcow -j MASQUERADE"),),
    "last": ((N, "add table inet a", "add chain inet a f { type filter hook postrouting priority 300 ; policy accept ; }", 'add rule inet a f oifname "br-mailcow" tcp dport 25 counter drop', 'add rule inet a f oifname "eth0" tcp sport 443 counter drop'),),
    "clamped": ((I4, "mangle -A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 1200"),),
    "few hops": ((I4, "mangle -A PREROUTING -i eth0 -j TTL --ttl-set 1"),),
}  # fmt: skip


def random(draw: Random, seed: int) -> Case:
    """Return a host with one to three traps; the first numbers are each of them alone."""
    names = list(TRAPS)
    chosen = [names[seed]] if seed < len(names) else draw.sample(names, draw.choice((1, 2, 2, 3)))
    steps = []
    for number, name in enumerate(chosen):
        for program, *lines in TRAPS[name]:
            if program == N:  # tables of several traps do not get in each other's way
                lines = [
                    line.replace(" a ", f" a{number} ") if not line.endswith(" a") else f"{line}{number}"
                    for line in lines
                ]
            steps.append(Step(program, tuple(lines)))
    return case(draw, "traps", seed, after=tuple(steps))
