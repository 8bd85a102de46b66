/**
 * The guest's user space: what its init does, as scripts for busybox. The kernel's command line says who the
 * guest is: `skein.hostname=web1 skein.ip=10.0.0.2/24 skein.mac=52:54:00:00:00:01 skein.run=ticker` - a comma
 * stands for a space in `skein.run`. When network and shell are up the console says `skein-guest: ready web1`.
 * Source: busybox, examples/inittab; Linux, Documentation/filesystems/ramfs-rootfs-initramfs.rst.
 */

/**
 * Arguments with which the image boots to its shell; a VM's own (`skein.*`) are appended. `earlycon` takes the
 * UART from the device tree, so that the banner is seen at once. The other two leave out what costs most in an
 * interpreter (counted with QEMU's -icount: 1.7 G instructions to the shell with them missing and signed modules,
 * 0.33 G without): the self-tests of the kernel's cryptography and the measurement of unaligned accesses.
 */
export const defaultBootArguments = 'console=ttyS0 earlycon cryptomgr.notests unaligned_scalar_speed=fast';

/** First words of the line on the console that says that a guest is up; its host name follows. */
export const readyMarker = 'skein-guest: ready';

/**
 * First program. Only what must be there before the network's driver loads comes before it: a template is to be
 * taken at that point, with nothing of the guest's identity in it yet.
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

hostname=guest address= mac= run=
for word in $(cat /proc/cmdline); do
  case $word in
    skein.hostname=*) hostname=\${word#*=} ;;
    skein.ip=*) address=\${word#*=} ;;
    skein.mac=*) mac=\${word#*=} ;;
    skein.run=*) run=\${word#*=} ;;
  esac
done

while read -r module; do
  insmod /lib/modules/$module.ko || echo "skein-guest: cannot load $module"
done </lib/modules/order

hostname "$hostname"
echo "127.0.0.1 localhost $hostname" >/etc/hosts
ip link set lo up
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
exec /bin/init
`;

/** busybox's own init reaps orphans, answers poweroff and reboot, and starts the shell anew when it ends. */
export const inittab = `ttyS0::respawn:-/bin/sh
::ctrlaltdel:/bin/reboot
::shutdown:/bin/sync
`;

/** Read by each login shell; the first one is the guest's sign of life, and starts the workload. */
export const profile = `export PATH=/bin HOME=/root TERM=linux
PS1="$(hostname):\\w# "
cd /root
if read -r run 2>/dev/null </run/workload; then
  rm /run/workload
  echo "${readyMarker} $(hostname)"
  if [ -n "$run" ]; then
    (IFS=,; set -f; setsid $run </dev/null &)
  fi
fi
`;
