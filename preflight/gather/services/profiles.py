"""The services that matter to a mailcow host, by the names they have on the distributions. Data alone."""

from __future__ import annotations

from msgspec import Struct

from preflight.facts import ServiceKind


class Profile(Struct, frozen=True):
    """A service: its units (scripts of other init systems have the same stem), processes and packages.

    `processes` are pairs: the kernel's name of the process (15 characters), and what its command line must hold
    ('' = anything). `units` in the order of preference; an instance of a template counts for its stem.
    """

    name: str
    kind: ServiceKind
    units: tuple[str, ...] = ()
    processes: tuple[tuple[str, str], ...] = ()
    packages: tuple[str, ...] = ()


# Left out: nullmailer, dma, ssmtp, msmtp without its daemon. They send mail, but listen on no port.
PROFILES: tuple[Profile, ...] = (
    Profile(
        "exim4", "mta", ("exim4.service", "exim.service"), (("exim4", " -bd"), ("exim", " -bd")),
        ("exim4", "exim4-base", "exim4-config", "exim4-daemon-light", "exim4-daemon-heavy", "exim"),
    ),
    Profile("postfix", "mta", ("postfix.service",), (("master", "/postfix/"),), ("postfix",)),
    Profile(
        "sendmail", "mta", ("sendmail.service",),
        (("sendmail-mta", "accepting connections"), ("sendmail", "accepting connections")),
        ("sendmail", "sendmail-bin", "sendmail-base", "sendmail-cf"),
    ),
    Profile("opensmtpd", "mta", ("opensmtpd.service", "smtpd.service"), (("smtpd", "/smtpd"),), ("opensmtpd",)),
    Profile(
        "qmail", "mta", ("qmail.service", "notqmail.service"), (("qmail-send", ""),), ("qmail", "netqmail", "notqmail")
    ),
    Profile(
        "courier-mta", "mta",
        ("courier.service", "courier-mta.service", "courier-mta-ssl.service", "courier-msa.service"),
        (("couriertcpd", "esmtp"),), ("courier-mta",),
    ),
    Profile("msmtpd", "mta", ("msmtpd.service",), (("msmtpd", ""),), ("msmtp-mta",)),
    Profile("maddy", "mta", ("maddy.service",), (("maddy", ""),), ("maddy",)),
    Profile(
        "stalwart", "mta", ("stalwart-mail.service", "stalwart.service"), (("stalwart-mail", ""), ("stalwart", ""))
    ),
    Profile("zimbra", "mta", ("zimbra.service",)),
    Profile("plesk", "mta", ("psa.service",), (), ("psa",)),
    Profile("cpanel", "mta", ("cpanel.service",)),
    Profile(
        "dovecot", "imap", ("dovecot.service",), (("dovecot", ""),),
        ("dovecot", "dovecot-core", "dovecot-imapd", "dovecot-pop3d", "dovecot-lmtpd", "dovecot-managesieved"),
    ),
    Profile(
        "cyrus-imapd", "imap", ("cyrus-imapd.service", "cyrus-imap.service", "cyrus.service"),
        (("cyrmaster", ""), ("cyrus-master", ""), ("master", "/cyrus")), ("cyrus-imapd", "cyrus-pop3d", "cyrus-common"),
    ),
    Profile(
        "courier-imap", "imap",
        ("courier-imap.service", "courier-imap-ssl.service", "courier-pop.service", "courier-pop-ssl.service"),
        (("couriertcpd", "imap"), ("couriertcpd", "pop3")), ("courier-imap", "courier-pop"),
    ),
    Profile(
        "apache2", "web", ("apache2.service", "httpd.service"), (("apache2", ""), ("httpd", "")),
        ("apache2", "apache2-bin", "httpd", "apache"),
    ),
    Profile(
        "nginx", "web", ("nginx.service", "openresty.service"), (("nginx", ""),),
        ("nginx", "nginx-common", "nginx-core", "nginx-light", "nginx-full", "nginx-extras", "openresty"),
    ),
    Profile("lighttpd", "web", ("lighttpd.service",), (("lighttpd", ""),), ("lighttpd",)),
    Profile("caddy", "web", ("caddy.service", "caddy-api.service"), (("caddy", ""),), ("caddy",)),
    Profile("haproxy", "web", ("haproxy.service",), (("haproxy", ""),), ("haproxy",)),
    Profile("traefik", "web", ("traefik.service",), (("traefik", ""),), ("traefik",)),
    Profile("varnish", "web", ("varnish.service",), (("varnishd", ""),), ("varnish",)),
    Profile("h2o", "web", ("h2o.service",), (("h2o", ""),), ("h2o",)),
    Profile(
        "litespeed", "web", ("lshttpd.service", "lsws.service"),
        (("litespeed", ""), ("openlitespeed", ""), ("lshttpd", "")), ("openlitespeed",),
    ),
    Profile(
        "systemd-timesyncd", "time", ("systemd-timesyncd.service",), (("systemd-timesyn", ""),),
        ("systemd-timesyncd",),
    ),
    Profile("chrony", "time", ("chrony.service", "chronyd.service"), (("chronyd", ""),), ("chrony",)),
    Profile("openntpd", "time", ("openntpd.service",), (("ntpd", "openntpd"), ("ntpd", "ntp engine")), ("openntpd",)),
    Profile("ntpsec", "time", ("ntpsec.service",), (("ntpd", "ntpsec"),), ("ntpsec",)),
    Profile("ntpd-rs", "time", ("ntpd-rs.service",), (("ntp-daemon", ""),), ("ntpd-rs",)),
    Profile("ntp", "time", ("ntp.service", "ntpd.service"), (("ntpd", ""), ("busybox", "ntpd")), ("ntp",)),
    Profile(
        "VBoxService", "time", ("virtualbox-guest-utils.service", "vboxadd-service.service", "vboxservice.service"),
        (("VBoxService", ""),), ("virtualbox-guest-utils", "virtualbox-guest-additions"),
    ),
    Profile("phc2sys", "time", ("phc2sys.service",), (("phc2sys", ""),)),
    Profile("ufw", "firewall", ("ufw.service",), (), ("ufw",)),
    Profile("firewalld", "firewall", ("firewalld.service",), (("firewalld", ""),), ("firewalld",)),
    Profile("nftables", "firewall", ("nftables.service",)),
    Profile(
        "iptables", "firewall", ("netfilter-persistent.service", "iptables.service", "ip6tables.service"), (),
        ("netfilter-persistent", "iptables-persistent"),
    ),
    Profile("csf", "firewall", ("csf.service", "lfd.service"), (("lfd - sleeping", ""), ("lfd - starting", ""))),
    Profile("shorewall", "firewall", ("shorewall.service", "shorewall6.service"), (), ("shorewall", "shorewall6")),
    Profile("ferm", "firewall", ("ferm.service",), (), ("ferm",)),
    Profile("firehol", "firewall", ("firehol.service",), (), ("firehol",)),
    Profile("fail2ban", "firewall", ("fail2ban.service",), (("fail2ban-server", ""),), ("fail2ban",)),
    Profile(
        "crowdsec", "firewall", ("crowdsec-firewall-bouncer.service",), (("crowdsec-firewa", ""),),
        ("crowdsec-firewall-bouncer-iptables", "crowdsec-firewall-bouncer-nftables"),
    ),
)  # fmt: skip

PACKAGES = frozenset(package for profile in PROFILES for package in profile.packages)
PROCESSES = frozenset(name for profile in PROFILES for name, _ in profile.processes)


def of_process(name: str, command: str) -> tuple[Profile, ...]:
    """Return the services that a process may belong to, the likeliest first."""
    return tuple(
        profile
        for profile in PROFILES
        if any(name == comm and needle in command for comm, needle in profile.processes)
    )  # fmt: skip
