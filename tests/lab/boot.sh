# The last steps of a host's start, inside its own namespaces: its file systems, its root, its first process.
#     boot.sh BASE RUN HOSTNAME NOFILE
# BASE: the read-only root; RUN: a directory for what this one host changes; NOFILE: its limit of open files
set -eu
base=$1 run=$2 name=$3 nofile=$4
root=$run/root

mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$base,upperdir=$run/upper,workdir=$run/work" "$root"
# overlay2 cannot lie on an overlay: the engine's data is a plain directory.
for path in docker containerd containers; do
    mkdir -p "$root/var/lib/$path"
    mount --bind "$run/data/$path" "$root/var/lib/$path"
done
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for node in null zero full random urandom tty kmsg; do
    touch "$root/dev/$node"
    mount --bind "/dev/$node" "$root/dev/$node"
done
mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/mqueue"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
mount -t tmpfs tmpfs "$root/dev/shm"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
hostname "$name"
# Not inherited: a new network namespace starts with the settings of the one that made it.
echo 0 > /proc/sys/net/ipv4/ip_forward

ulimit -n "$nofile" 2>/dev/null || true # as far as this machine lets it
cd "$root"
mkdir -p .old
pivot_root . .old
umount -l /.old
rmdir /.old
mount --make-rshared / # else containers' rslave mounts fail
# Not this machine's clock, and no more of its limits than it may itself raise.
exec setpriv --bounding-set -sys_time,-sys_resource,-sys_module,-sys_boot \
    env -i container=lab PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd
