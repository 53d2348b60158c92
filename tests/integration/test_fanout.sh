#!/bin/sh
# A whole pollard on a scripted server of enhanced fan-out, over HTTP/1.1 and,
# behind nghttpx, over HTTP/2. See test_fanout.py.
set -eu
sh docker/install-debian.sh nghttp2-proxy openssl
exec python3 tests/integration/test_fanout.py "$1"
