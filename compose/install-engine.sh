#!/usr/bin/env bash
# Docker's engine with compose and buildx from Debian's packages, for a Debian 12 machine that has none (needs root):
# the engine from bookworm, the two plugins from trixie, whose files need nothing newer than bookworm's libc.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive

if ! command -v dockerd >/dev/null || ! command -v debootstrap >/dev/null; then
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends docker.io containerd runc iptables iproute2 debootstrap >/dev/null
fi
plugins=${DOCKER_CONFIG:-$HOME/.docker}/cli-plugins
if ! docker compose version >/dev/null 2>&1 || ! docker buildx version >/dev/null 2>&1; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$work"/{lists/partial,cache/archives/partial,files}
  : >"$work/status"
  # The machine's own archive and keyring; only the suite is another one.
  mirror=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -n 1 || true)
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror:?$0: no Debian archive is configured} trixie main" \
    >"$work/sources.list"
  apt=(-o Dir::State::Lists="$work/lists" -o Dir::State::status="$work/status" -o Dir::Cache="$work/cache"
    -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null -o APT::Sandbox::User=root)
  apt-get "${apt[@]}" update -qq
  (cd "$work" && apt-get "${apt[@]}" download -qq docker-compose docker-buildx)
  for package in "$work"/*.deb; do dpkg -x "$package" "$work/files"; done
  mkdir -p "$plugins"
  cp "$work"/files/usr/libexec/docker/cli-plugins/docker-{compose,buildx} "$plugins/"
fi
docker compose version
