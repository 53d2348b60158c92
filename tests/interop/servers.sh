#!/bin/sh
# Install the foreign servers of the interop stories, from their registries,
# into build/interop. Nothing is started here.
set -eu

root=build/interop
mkdir -p "$root"
sh docker/install-debian.sh python3 python3-venv

# A JDK, Maven and Node.js of any origin will do; Debian's otherwise.
command -v java >/dev/null || sh docker/install-debian.sh default-jre-headless
command -v mvn >/dev/null || sh docker/install-debian.sh maven
command -v npm >/dev/null || sh docker/install-debian.sh nodejs npm

if [ ! -e "$root/elasticmq.done" ]; then
    echo "  GET   ElasticMQ"
    mvn -q -B -f tests/interop/elasticmq.xml dependency:copy-dependencies \
        -DoutputDirectory="$PWD/$root/elasticmq"
    touch "$root/elasticmq.done"
fi
if [ ! -e "$root/moto.done" ]; then
    echo "  GET   moto"
    python3 -m venv "$root/venv"
    "$root/venv/bin/pip" -q install --disable-pip-version-check \
        'moto[server]==5.2.5' boto3==1.44.5
    touch "$root/moto.done"
fi
if [ ! -e "$root/aggregator.done" ]; then
    echo "  GET   aws-kinesis-agg"
    python3 -m venv "$root/aggregator"
    "$root/aggregator/bin/pip" -q install --disable-pip-version-check \
        aws-kinesis-agg==1.2.3 protobuf==7.36.2 six==1.17.0
    touch "$root/aggregator.done"
fi
if [ ! -e "$root/kinesis.done" ]; then
    echo "  GET   kinesis-mock"
    mkdir -p "$root/npm"
    (cd "$root/npm" && npm install --silent --no-audit --no-fund --prefix . \
        kinesis-local@0.6.2)
    touch "$root/kinesis.done"
fi
if [ ! -e "$root/ministack.done" ]; then
    echo "  GET   MiniStack"
    python3 -m venv "$root/ministack"
    "$root/ministack/bin/pip" -q install --disable-pip-version-check \
        ministack==1.5.33
    touch "$root/ministack.done"
fi
