#!/bin/sh
# Figures, side by side with what they are compared to. See bench/README.md.
set -eu
build=${1:-build/release}
sh docker/install-debian.sh python3 openssl nghttp2-proxy
command -v npm >/dev/null || sh docker/install-debian.sh nodejs npm
if [ ! -e build/bench/peers.done ]; then
    mkdir -p build/bench/peers
    cp bench/sqs_consumer.mjs build/bench/peers/
    (cd build/bench/peers && npm install --silent --no-audit --no-fund --prefix . \
        sqs-consumer@14.2.8 @aws-sdk/client-sqs)
    touch build/bench/peers.done
fi
cp bench/sqs_consumer.mjs build/bench/peers/
exec python3 bench/run.py "$build" ${BENCH_ARGUMENTS:-}
