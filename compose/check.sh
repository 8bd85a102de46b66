#!/bin/sh
# A step of the image's build: what is wrong with the SKEIN_* variables or the cluster file ends `docker compose up` before
# a network, a volume or a container of it is made.
check() { # PROGRAM PACKAGE CONFIGURATION
  SKEIN_CONFIG=$3 node "packages/$2/src/main.ts" --config "/etc/skein/$1.json" --check 2>/tmp/said || wrong=yes
  # As the file is called where it was written.
  sed "s#^/etc/skein/cluster.yaml:#$CLUSTER_FILE:#" /tmp/said >&2
}
check coordinator coordinator "$COORDINATOR_CONFIG"
check storage storage "$STORAGE_CONFIG"
check agent host-agent "$HOST_CONFIG"
[ -z "${wrong:-}" ] && exit 0
echo 'Nothing was started. Correct the cluster file or the SKEIN_* variables, and repeat; see docs/guide/compose.md.' >&2
exit 2
