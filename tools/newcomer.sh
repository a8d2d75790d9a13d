# A bare root becomes a machine: its file systems, its root, its first process. In namespaces of its own.
#     newcomer.sh ROOT
set -eu
root=$1

mount --make-rprivate /
mount --bind "$root" "$root" # pivot_root wants a mount
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup" # the engine's groups lie where this machine's own would
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for node in null zero full random urandom tty kmsg; do
    touch "$root/dev/$node"
    mount --bind "/dev/$node" "$root/dev/$node"
done
mkdir "$root/dev/net"
touch "$root/dev/net/tun"
mount --bind /dev/net/tun "$root/dev/net/tun"
mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/mqueue"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
mount -t tmpfs tmpfs "$root/dev/shm"
mount -t mqueue mqueue "$root/dev/mqueue"
ln -s pts/ptmx "$root/dev/ptmx"
for link in fd:/proc/self/fd stdin:/proc/self/fd/0 stdout:/proc/self/fd/1 stderr:/proc/self/fd/2; do
    ln -s "${link#*:}" "$root/dev/${link%%:*}"
done
hostname newcomer

cd "$root"
mkdir .old
pivot_root . .old
umount -l /.old
rmdir /.old
# The first process collects the dead, as any machine's does; it never ends by itself.
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin python3 -I -S -c '
import contextlib, os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
while signal.sigwait({signal.SIGCHLD}):
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
'
