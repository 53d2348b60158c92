#!/bin/sh
# Install the Debian packages named as arguments, if any is missing. Where that
# cannot be done here, say what would be needed.
set -eu

missing=
for package in "$@"; do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null |
        grep -q '^installed$' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    cat >&2 <<TEXT
pollard needs these libraries with their headers; this system has no apt-get,
so please install them yourself:
  libcurl >= 7.84, jansson >= 2.13, libyaml, OpenSSL 3, SQLite >= 3.35,
  libmicrohttpd, libcbor, expat, protobuf-c with its compiler (and cmocka for
  the tests)
  Fedora: dnf install gcc pkgconf libcurl-devel jansson-devel libyaml-devel \\
          openssl-devel sqlite-devel libmicrohttpd-devel libcbor-devel \\
          expat-devel protobuf-c-devel protobuf-c-compiler libcmocka-devel
  Alpine: apk add gcc musl-dev pkgconf curl-dev jansson-dev yaml-dev openssl-dev \\
          sqlite-dev libmicrohttpd-dev libcbor-dev expat-dev protobuf-c-dev \\
          protobuf-c-compiler cmocka-dev
(Debian's names:$missing)
Then: mkdir -p build && touch build/deps build/deps-test
TEXT
    exit 1
fi

as_root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || {
        echo "please install as root: apt-get install$missing" >&2
        exit 1
    }
    as_root=sudo
fi

echo "  APT  $missing"
log=$(mktemp)
install() {
    # shellcheck disable=SC2086 # the list is words
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
        --no-install-recommends $missing >"$log" 2>&1
}
# The package lists may be old, or not there at all on a new machine.
install || { $as_root apt-get update -q >"$log" 2>&1 && install; } || {
    cat "$log" >&2
    echo "could not install:$missing" >&2
    exit 1
}
rm -f "$log"
