/**
 * The guest's user space: what its init does, as scripts for busybox. Who the guest is stands in words such as
 * `skein.hostname=web1 skein.ip=10.0.0.2/24 skein.mac=52:54:00:00:00:01 skein.run=ticker` - a comma stands for a space
 * in `skein.run`. They come, a line each up to `skein.end`, from the virtio port `skein.identity`; where there is none,
 * from the kernel's command line. When network and shell are up the console says `skein-guest: ready web1`.
 * With `root=/dev/vda` on the kernel's command line the guest goes on from there, in a root file system made by root-disk.
 * Source: busybox, examples/inittab; Linux, Documentation/filesystems/ramfs-rootfs-initramfs.rst.
 */

/**
 * Arguments with which the image boots to its shell; a VM's own (`skein.*`) are appended. `earlycon` takes the
 * UART from the device tree, so that the banner is seen at once. The other two leave out what costs most in an
 * interpreter (counted with QEMU's -icount: 1.7 G instructions to the shell with them missing and signed modules,
 * 0.33 G without): the self-tests of the kernel's cryptography and the measurement of unaligned accesses. The last
 * one leaves out a statistics thread that wakes an idle guest seven times a second (traced with Debian's 7.2).
 */
export const defaultBootArguments =
  'console=ttyS0 earlycon cryptomgr.notests unaligned_scalar_speed=fast damon_stat.enabled=N';

/** The same of the small kernel, which has nothing of what the others of those leave out. */
export const smallBootArguments = 'console=ttyS0 earlycon';

/** First words of the line on the console that says that a guest is up; its host name follows. */
export const readyMarker = 'skein-guest: ready';

/** Where in /lib/modules those stand that a root on a disk needs. */
export const diskModulesFolder = 'disk';

/** The port on which init reads who the guest is: virtio 1.2, "Console Device", a port's name. */
export const identityPort = 'skein.identity';

/**
 * First program. While it waits for the identity a template may be taken: until then nothing of it is in the guest, no
 * vNIC was looked at, and no boot id was made. Clones go on from there with what only they have: `skein.entropy` and
 * `skein.time` (microseconds since 1970) among it.
 */
export const initScript = `#!/bin/sh
export PATH=/bin HOME=/root TERM=linux
# A link for each applet, but never in place of a workload of the same name.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs -o mode=0755 dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts -o mode=0620 devpts /dev/pts
ip link set lo up

# What else would wake an idle guest: looks for pages to compact, twice a second, and sums of statistics, once (these every ten).
# A kernel need not have either.
[ -e /proc/sys/vm/compaction_proactiveness ] && echo 0 >/proc/sys/vm/compaction_proactiveness
[ -e /proc/sys/vm/stat_interval ] && echo 10 >/proc/sys/vm/stat_interval

hostname=guest address= mac= run= entropy= time=
settle() {
  case $1 in
    skein.hostname=*) hostname=\${1#*=} ;;
    skein.ip=*) address=\${1#*=} ;;
    skein.mac=*) mac=\${1#*=} ;;
    skein.run=*) run=\${1#*=} ;;
    skein.entropy=*) entropy=\${1#*=} ;;
    skein.time=*) time=\${1#*=} ;;
  esac
}

# Virtio's slots are looked at one by one, below.
while read -r module; do
  [ $module = virtio_mmio ] && echo 0 >/sys/bus/platform/drivers_autoprobe
  insmod /lib/modules/$module.ko || echo "skein-guest: cannot load $module"
  [ $module = virtio_mmio ] && echo 1 >/sys/bus/platform/drivers_autoprobe
done </lib/modules/order

# A kernel with its drivers built in has looked at all slots long ago: it lets go of them, and is where one with modules is.
for slot in /sys/bus/platform/drivers/virtio-mmio/*.virtio_mmio; do
  [ -e "$slot" ] && echo "\${slot##*/}" >/sys/bus/platform/drivers/virtio-mmio/unbind
done

look_at() {
  echo "\${1##*/}" >/sys/bus/platform/drivers_probe
}

look_at_all() {
  for slot in /sys/bus/platform/devices/*.virtio_mmio; do
    look_at "$slot"
  done
}

read_identity() {
  # Name and openness of a port come a moment after its device.
  for attempt in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    for device in /sys/bus/virtio/drivers/virtio_console/virtio*; do
      [ -e "$device" ] || return 1
    done
    for port in /sys/class/virtio-ports/*; do
      [ -e "$port/name" ] && read -r name <"$port/name" && [ "$name" = ${identityPort} ] || continue
      while read -r word; do
        [ "$word" = skein.end ] && return 0
        settle "$word"
      done <"/dev/\${port##*/}"
    done
    usleep 10000
  done
  return 1
}

# Skein has the port in the last slot; other machines have it anywhere, or not at all.
for last in /sys/bus/platform/devices/*.virtio_mmio; do :; done
look_at "$last"
if read_identity; then
  look_at_all
else
  look_at_all
  if ! read_identity; then
    read -r line </proc/cmdline
    set -f
    for word in $line; do settle "$word"; done
    set +f
  fi
fi

echo "$hostname" >/proc/sys/kernel/hostname
echo "127.0.0.1 localhost $hostname" >/etc/hosts
if [ -n "$entropy" ]; then
  renew "$time" <<EOF || echo "skein-guest: the random generator was not seeded anew"
$entropy
EOF
fi
if [ -e /sys/class/net/eth0 ]; then
  [ -n "$mac" ] && ip link set eth0 address "$mac"
  [ -n "$address" ] && ip address add "$address" dev eth0
  ip link set eth0 up
  # The link is there with the driver's first look at it; without one, a guest goes on after half a second.
  for attempt in 1 2 3 4 5 6 7 8 9 10; do
    read -r carrier </sys/class/net/eth0/carrier
    [ "$carrier" = 1 ] && break
    usleep 50000
  done
elif [ -n "$address$mac" ]; then
  echo "skein-guest: no network interface eth0"
fi
echo "$run" >/run/workload

# From here on only trouble interrupts what the shell and the workloads print.
dmesg -n 4

root=
read -r line </proc/cmdline
set -f
for word in $line; do
  case $word in root=*) root=\${word#*=} ;; esac
done
set +f
if [ -n "$root" ]; then
  [ -e /lib/modules/${diskModulesFolder}/order ] && while read -r module; do
    insmod /lib/modules/${diskModulesFolder}/$module.ko || echo "skein-guest: cannot load $module"
  done </lib/modules/${diskModulesFolder}/order
  mkdir /disk
  # A disk that may not be written can still be looked at, also if its last user did not leave it clean.
  for options in rw ro ro,noload; do
    mount -t ext4 -o $options "$root" /disk 2>/dev/null && break
  done
  if [ -e /disk/sbin/init ]; then
    for place in proc sys dev; do mount --move /$place /disk/$place; done
    mount -t tmpfs -o mode=0755 run /disk/run
    mount -t tmpfs -o mode=1777 tmp /disk/tmp
    echo "$run" >/disk/run/workload
    exec switch_root /disk /sbin/init
  fi
  echo "skein-guest: there is no root file system on $root; going on without"
fi
exec /bin/init
`;

/** busybox's own init reaps orphans, answers poweroff and reboot, and starts the shell anew when it ends. */
export const inittab = `ttyS0::respawn:-/bin/sh
::ctrlaltdel:/bin/reboot
::shutdown:/bin/sync
`;

/** The same for a root disk, whose shell is Debian's. */
export const rootDiskInittab = `ttyS0::respawn:-/bin/bash
::ctrlaltdel:/usr/lib/busybox/reboot
::shutdown:/etc/skein-shutdown
`;

/** busybox' init runs this before it ends what still runs; but a file system that is written to cannot be left clean. */
export const rootDiskShutdown = `#!/bin/sh
for signal in TERM KILL; do
  for process in /proc/[0-9]*; do
    number=\${process#/proc/}
    [ "$number" = 1 ] || [ "$number" = $$ ] || kill -s $signal "$number" 2>/dev/null
  done
  sleep 0.2
done
busybox mount -o remount,ro /
`;

const loginScript = `read -r hostname </proc/sys/kernel/hostname
PS1="$hostname:\\w# "
cd /root
if read -r run 2>/dev/null </run/workload; then
  rm /run/workload
  echo "${readyMarker} $hostname"
  if [ -n "$run" ]; then
    (IFS=,; set -f; setsid $run </dev/null &)
  fi
fi
`;

/** Read by each login shell; the first one is the guest's sign of life, and starts the workload. */
export const profile = `export PATH=/bin HOME=/root TERM=linux
${loginScript}`;

/** The same on a root disk, where busybox stands in for the commands that no package has brought. */
export const rootDiskProfile = `export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/usr/lib/busybox
export HOME=/root TERM=linux
[ -e /usr/lib/busybox/ls ] || busybox --install -s /usr/lib/busybox 2>/dev/null
${loginScript}`;
