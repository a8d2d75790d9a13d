"""The services that matter to a mailcow host, by the names they have on the distributions. Data alone."""

from __future__ import annotations

from msgspec import Struct

from preflight.facts import ServiceKind


class Known(Struct, frozen=True):
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
KNOWN: tuple[Known, ...] = (
    Known(
        "exim4", "mta", ("exim4.service", "exim.service"), (("exim4", " -bd"), ("exim", " -bd")),
        ("exim4", "exim4-base", "exim4-config", "exim4-daemon-light", "exim4-daemon-heavy", "exim"),
    ),
    Known("postfix", "mta", ("postfix.service",), (("master", "/postfix/"),), ("postfix",)),
    Known(
        "sendmail", "mta", ("sendmail.service",),
        (("sendmail-mta", "accepting connections"), ("sendmail", "accepting connections")),
        ("sendmail", "sendmail-bin", "sendmail-base", "sendmail-cf"),
    ),
    Known("opensmtpd", "mta", ("opensmtpd.service", "smtpd.service"), (("smtpd", "/smtpd"),), ("opensmtpd",)),
    Known(
        "qmail", "mta", ("qmail.service", "notqmail.service"), (("qmail-send", ""),), ("qmail", "netqmail", "notqmail")
    ),
    Known(
        "courier-mta", "mta",
        ("courier.service", "courier-mta.service", "courier-mta-ssl.service", "courier-msa.service"),
        (("couriertcpd", "esmtp"),), ("courier-mta",),
    ),
    Known("msmtpd", "mta", ("msmtpd.service",), (("msmtpd", ""),), ("msmtp-mta",)),
    Known("maddy", "mta", ("maddy.service",), (("maddy", ""),), ("maddy",)),
    Known("stalwart", "mta", ("stalwart-mail.service", "stalwart.service"), (("stalwart-mail", ""), ("stalwart", ""))),
    Known("zimbra", "mta", ("zimbra.service",)),
    Known("plesk", "mta", ("psa.service",), (), ("psa",)),
    Known("cpanel", "mta", ("cpanel.service",)),
    Known(
        "dovecot", "imap", ("dovecot.service",), (("dovecot", ""),),
        ("dovecot", "dovecot-core", "dovecot-imapd", "dovecot-pop3d", "dovecot-lmtpd", "dovecot-managesieved"),
    ),
    Known(
        "cyrus-imapd", "imap", ("cyrus-imapd.service", "cyrus-imap.service", "cyrus.service"),
        (("cyrmaster", ""), ("cyrus-master", ""), ("master", "/cyrus")), ("cyrus-imapd", "cyrus-pop3d", "cyrus-common"),
    ),
    Known(
        "courier-imap", "imap",
        ("courier-imap.service", "courier-imap-ssl.service", "courier-pop.service", "courier-pop-ssl.service"),
        (("couriertcpd", "imap"), ("couriertcpd", "pop3")), ("courier-imap", "courier-pop"),
    ),
    Known(
        "apache2", "web", ("apache2.service", "httpd.service"), (("apache2", ""), ("httpd", "")),
        ("apache2", "apache2-bin", "httpd", "apache"),
    ),
    Known(
        "nginx", "web", ("nginx.service", "openresty.service"), (("nginx", ""),),
        ("nginx", "nginx-common", "nginx-core", "nginx-light", "nginx-full", "nginx-extras", "openresty"),
    ),
    Known("lighttpd", "web", ("lighttpd.service",), (("lighttpd", ""),), ("lighttpd",)),
    Known("caddy", "web", ("caddy.service", "caddy-api.service"), (("caddy", ""),), ("caddy",)),
    Known("haproxy", "web", ("haproxy.service",), (("haproxy", ""),), ("haproxy",)),
    Known("traefik", "web", ("traefik.service",), (("traefik", ""),), ("traefik",)),
    Known("varnish", "web", ("varnish.service",), (("varnishd", ""),), ("varnish",)),
    Known("h2o", "web", ("h2o.service",), (("h2o", ""),), ("h2o",)),
    Known(
        "litespeed", "web", ("lshttpd.service", "lsws.service"),
        (("litespeed", ""), ("openlitespeed", ""), ("lshttpd", "")), ("openlitespeed",),
    ),
    Known(
        "systemd-timesyncd", "time", ("systemd-timesyncd.service",), (("systemd-timesyn", ""),),
        ("systemd-timesyncd",),
    ),
    Known("chrony", "time", ("chrony.service", "chronyd.service"), (("chronyd", ""),), ("chrony",)),
    Known("openntpd", "time", ("openntpd.service",), (("ntpd", "openntpd"), ("ntpd", "ntp engine")), ("openntpd",)),
    Known("ntpsec", "time", ("ntpsec.service",), (("ntpd", "ntpsec"),), ("ntpsec",)),
    Known("ntp", "time", ("ntp.service", "ntpd.service"), (("ntpd", ""), ("busybox", "ntpd")), ("ntp",)),
    Known(
        "VBoxService", "time", ("virtualbox-guest-utils.service", "vboxadd-service.service", "vboxservice.service"),
        (("VBoxService", ""),), ("virtualbox-guest-utils", "virtualbox-guest-additions"),
    ),
    Known("phc2sys", "time", ("phc2sys.service",), (("phc2sys", ""),)),
    Known("ufw", "firewall", ("ufw.service",), (), ("ufw",)),
    Known("firewalld", "firewall", ("firewalld.service",), (("firewalld", ""),), ("firewalld",)),
    Known("nftables", "firewall", ("nftables.service",)),
    Known(
        "iptables", "firewall", ("netfilter-persistent.service", "iptables.service", "ip6tables.service"), (),
        ("netfilter-persistent", "iptables-persistent"),
    ),
    Known("csf", "firewall", ("csf.service", "lfd.service"), (("lfd - sleeping", ""), ("lfd - starting", ""))),
    Known("shorewall", "firewall", ("shorewall.service", "shorewall6.service"), (), ("shorewall", "shorewall6")),
    Known("ferm", "firewall", ("ferm.service",), (), ("ferm",)),
    Known("firehol", "firewall", ("firehol.service",), (), ("firehol",)),
    Known("fail2ban", "firewall", ("fail2ban.service",), (("fail2ban-server", ""),), ("fail2ban",)),
    Known(
        "crowdsec", "firewall", ("crowdsec-firewall-bouncer.service",), (("crowdsec-firewa", ""),),
        ("crowdsec-firewall-bouncer-iptables", "crowdsec-firewall-bouncer-nftables"),
    ),
)  # fmt: skip

PACKAGES = frozenset(package for known in KNOWN for package in known.packages)
PROCESSES = frozenset(name for known in KNOWN for name, _ in known.processes)


def of_process(name: str, command: str) -> tuple[Known, ...]:
    """Return the services that a process may belong to, the likeliest first."""
    return tuple(
        known
        for known in KNOWN
        if any(name == comm and needle in command for comm, needle in known.processes)
    )  # fmt: skip
