#!/bin/sh
# mailcow preflight @VERSION@ for Linux on @MACHINE@: one file that needs no Python and installs nothing.
#
#     sh mailcow-preflight-@MACHINE@ --hostname mail.example.org
#
# Below these lines is an archive: the program, Python, and the libraries of both. Each run unpacks it into a directory
# of its own and removes that at the end. It needs tar, gzip, tail, sha256sum, mktemp and mkfifo, of GNU or of BusyBox.
set -u
machine='@MACHINE@' first='@FIRST@' sum='@SUM@' mib='@MIB@' python='@PYTHON@'
dir='' mask=$(umask)

clean() {
    if [ -n "$dir" ]; then rm -rf "$dir"; fi
    dir=''
}
die() { # 125 is no verdict: nothing was checked
    printf 'preflight: %s\n' "$1" >&2
    clean
    exit 125
}
trap 'clean; exit 129' HUP
trap 'clean; exit 130' INT
trap 'clean; exit 143' TERM

case $0 in */*) self=$0 ;; *) self=./$0 ;; esac
own=$(sed -n '1{/^#!\/bin\/sh$/p;};1q' "$self" 2>/dev/null) || own=''
[ -n "$own" ] || die 'This program reads its own file. Save it, and run it by its path.'
system=$(uname -s)
here=$(uname -m)
[ "$system $here" = "Linux $machine" ] || die "This file is for Linux on $machine, and this is $system on $here."
found=$(tail -n "+$first" "$self" | sha256sum) || die "Cannot read $self."
[ "${found%% *}" = "$sum" ] || die 'This file is damaged or incomplete. Download it again.'

umask 077
tried=''
for place in "${TMPDIR:-}" /tmp /var/tmp /run "${XDG_RUNTIME_DIR:-}" /dev/shm; do
    case $place in *:*) continue ;; /*) ;; *) continue ;; esac # a colon would end its name in a list of libraries
    why='not writable'
    if dir=$(mktemp -d "$place/mailcow-preflight.XXXXXX" 2>/dev/null); then
        { printf '#!/bin/sh\n' >"$dir/try" && chmod 700 "$dir/try"; } 2>/dev/null
        why='it does not allow programs (noexec)'
        if "$dir/try" 2>/dev/null; then
            why="less than $mib MiB free"
            if { tail -n "+$first" "$self" | gzip -dc | tar -xof - -C "$dir"; } 2>/dev/null; then break; fi
        fi
        clean
    fi
    tried="$tried${tried:+, }$place: $why"
done
[ -n "$dir" ] || die "No directory can take $mib MiB of programs ($tried). Name one: TMPDIR=/directory sh $self"

# The program takes the place of this shell, so signals, terminal, input and exit code are its own. It removes
# the directory itself. If it is killed before, this process does: the read ends when nobody holds the pipe any more.
mkfifo "$dir/alive" || die "Cannot make a pipe in $dir."
(
    trap '' HUP INT TERM
    read -r _ <"$dir/alive"
    rm -rf "$dir"
) </dev/null >/dev/null 2>&1 &
exec 9>"$dir/alive"
umask "$mask"
exec "$dir/$python" -IS "$dir/start.py" "$@"
