#!/bin/sh
# Prove the Dockerfile, `make run` and `make test` on a bare Debian 12.
set -eu
[ "$(id -u)" = 0 ] || { echo "make bare needs root: it uses chroot" >&2; exit 1; }
sh docker/install-debian.sh debootstrap python3 git
exec python3 docker/bare.py "$@"
