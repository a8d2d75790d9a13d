"""Programs by which an administrator reaches the host, or that run it for others, and mail servers."""

from __future__ import annotations

import re
from typing import Literal

WayKind = Literal["ssh", "sharer", "tunnel", "desktop", "panel", "cluster"]

# By the names of processes, of units without their suffix and instance, and of packages.
NAMES: dict[WayKind, str] = {
    "ssh": "sshd sshd-session ssh openssh openssh-server dropbear dropbearmulti tinysshd lsh-server lshd mosh-server",
    "sharer": "sslh sslh-fork sslh-select sslh-ev",
    "tunnel": """
        openvpn openvpn-server openvpn-as openvpnas openvpn-client tailscaled tailscale headscale wg wg-quick wireguard
        ocserv pptpd strongswan charon softether vpnserver softether-vpnserver zerotier-one zerotier netbird nebula
        cloudflared frps frpc rathole chisel autossh stunnel stunnel4 xray v2ray sing-box trojan ss-server ssserver
        shadowsocks-libev shadowsocks-rust shadowsocks teleport tbot boundary ngrok innernet twingate
    """,
    "desktop": """
        xrdp xrdp-sesman x11vnc Xvnc Xtigervnc vncserver x0vncserver nxd nxserver nxnode teamviewerd teamviewer anydesk
        rustdesk hbbs hbbr guacd guacamole shellinabox shellinaboxd ttyd gotty wetty gnome-remote-desktop
    """,
    "panel": """
        cockpit cockpit-ws cockpit-tls cockpit-wsinstance-http cockpit-wsinstance-https webmin usermin miniserv.pl
        virtualmin plesk psa sw-cp-server sw-cp-serverd sw-engine cpanel cpsrvd whostmgrd directadmin ispconfig lscpd
        cyberpanel hestia hestia-nginx hestia-php vesta vesta-nginx BT-Panel bt aapanel 1panel 1pane-core ajenti
        ajenti-panel clp-nginx clp-agent cloudpanel froxlor keyhelp liveconfig interworx iworx-web runcloud-agent
        pveproxy spiceproxy pmgproxy proxmox-backup-proxy pve-manager pmg-api xapi middlewared openmediavault-engined
        emhttpd casaos casaos-gateway portainer
    """,
    "cluster": """
        k3s k3s-server k3s-agent k3s-init rke2 rke2-server rke2-agent kubelet kube-proxy kube-apiserver kubelite
        snap.microk8s.daemon-kubelite k0s k0scontroller k0sworker nomad containerd crio
    """,
}
# By the last part of an image's name.
IMAGES: dict[WayKind, str] = {
    "ssh": "openssh-server sshd ssh sshpiper",
    "tunnel": """
        tailscale headscale wg-easy wireguard wireguard-ui openvpn openvpn-as netbird cloudflared zerotier zerotier-one
        teleport teleport-distroless gluetun newt gerbil frps frpc chisel
    """,
    "desktop": "guacamole guacd rustdesk-server ttyd webtop",
    "panel": "portainer portainer-ce portainer-ee coolify dockge cockpit webmin 1panel",
    "cluster": "k3s kind node-agent",
}

# By the names of processes and of units without their suffix and instance.
SENDERS = frozenset((
    "exim", "exim4", "postfix", "sendmail", "sendmail-mta", "opensmtpd", "smtpd", "qmail", "qmail-send",
    "qmail-smtpd", "notqmail", "courier", "courier-mta", "courier-msa", "courier-mta-ssl", "esmtpd", "couriertcpd",
    "msmtpd", "maddy", "stalwart", "stalwart-mail", "zimbra", "haraka", "axigen",
))  # fmt: skip
READERS = frozenset((
    "dovecot", "cyrus", "cyrus-imapd", "cyrus-imap", "cyrmaster", "cyrus-master", "courier-imap", "courier-imap-ssl",
    "courier-pop", "courier-pop-ssl", "imapd", "popa3d", "pop3d", "solid-pop3d", "perdition",
))  # fmt: skip


def stem(unit: str) -> str:
    """Return a unit's name without its suffix and instance: postfix@-.service is postfix."""
    return re.sub(r"\.(service|socket|scope)$", "", unit).partition("@")[0]
