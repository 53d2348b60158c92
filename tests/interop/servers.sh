#!/bin/sh
# Install the foreign servers of the interop stories, from their registries,
# into build/interop. Nothing is started here.
set -eu

root=build/interop
mkdir -p "$root"
sh docker/install-debian.sh python3 python3-venv openssl

# A JDK, Maven and Node.js of any origin will do; Debian's otherwise.
command -v java >/dev/null || sh docker/install-debian.sh default-jre-headless
command -v mvn >/dev/null || sh docker/install-debian.sh maven
command -v npm >/dev/null || sh docker/install-debian.sh nodejs npm

# NAME VERSION: what install_NAME puts into build/interop/NAME, once.
get() {
    mark=$root/$1-$2.done
    if [ ! -e "$mark" ]; then
        echo "  GET   $1 $2"
        rm -rf "${root:?}/$1"
        "install_$1" "$2"
        touch "$mark"
    fi
}

install_elasticmq() {
    mvn -q -B -f tests/interop/elasticmq.xml dependency:copy-dependencies \
        -Delasticmq.version="$1" -DoutputDirectory="$PWD/$root/elasticmq"
}

install_moto() { # and boto3, for what the standard library cannot do
    python3 -m venv "$root/moto"
    "$root/moto/bin/pip" -q install --disable-pip-version-check \
        "moto[server]==$1" boto3==1.44.5
}

install_aggregator() { # AWS's own for Kinesis
    python3 -m venv "$root/aggregator"
    "$root/aggregator/bin/pip" -q install --disable-pip-version-check \
        "aws-kinesis-agg==$1" protobuf==7.36.2 six==1.17.0
}

install_kinesis_mock() {
    mkdir -p "$root/kinesis_mock"
    (cd "$root/kinesis_mock" &&
        npm install --silent --no-audit --no-fund --prefix . "kinesis-local@$1")
}

install_ministack() {
    python3 -m venv "$root/ministack"
    "$root/ministack/bin/pip" -q install --disable-pip-version-check \
        "ministack==$1"
}

get elasticmq 1.6.16
get moto 5.2.5
get aggregator 1.2.3
get kinesis_mock 0.6.2
get ministack 1.5.33
