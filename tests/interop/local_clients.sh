#!/bin/sh
# `pollard local` as strangers use it: boto3 old (Debian's, SQS over Query) and
# new (what servers.sh installed, SQS over JSON), and the AWS CLI.
set -eu
build=${1:-build/release}
pollard=$build/pollard

sh docker/install-debian.sh awscli python3-boto3

/usr/bin/python3 tests/interop/local_boto3.py "$pollard"
build/interop/moto/bin/python tests/interop/local_boto3.py "$pollard"

# The AWS CLI, on a port of its own.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$pollard" local --port "$port" --queue orders,redrive=orders-dead:2 --queue line.fifo \
    --stream clicks:2 >/dev/null &
server=$!
trap 'kill $server 2>/dev/null || true' EXIT
export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_DEFAULT_REGION=us-east-1 AWS_PAGER=
aws() {
    /usr/bin/aws --endpoint-url "http://127.0.0.1:$port" --output text "$@"
}
expect() { # WHAT FOUND WANTED
    [ "$2" = "$3" ] && return
    echo "  FAILED  aws $1: \"$2\" is not \"$3\"" >&2
    exit 1
}

tries=0
until aws sts get-caller-identity >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ $tries -lt 50 ] || { echo "the server did not start" >&2; exit 1; }
    sleep 0.1
done
url=$(aws sqs get-queue-url --queue-name orders)
expect get-queue-url "$url" "http://127.0.0.1:$port/000000000000/orders"
aws sqs send-message --queue-url "$url" --message-body "hello <world> & all" >/dev/null
expect receive-message "$(aws sqs receive-message --queue-url "$url" --query 'Messages[].Body')" "hello <world> & all"
expect get-queue-attributes "$(aws sqs get-queue-attributes --queue-url "$url" \
    --attribute-names ApproximateNumberOfMessagesNotVisible --query 'Attributes.*')" 1
expect list-queues "$(aws sqs list-queues --query 'length(QueueUrls)')" 3
aws kinesis put-record --stream-name clicks --partition-key k --data aGVsbG8= >/dev/null
expect list-shards "$(aws kinesis list-shards --stream-name clicks --query 'length(Shards)')" 2
shard=$(aws kinesis put-record --stream-name clicks --partition-key k --data aGVsbG8= --query ShardId)
iterator=$(aws kinesis get-shard-iterator --stream-name clicks --shard-id "$shard" --shard-iterator-type TRIM_HORIZON)
expect get-records "$(aws kinesis get-records --shard-iterator "$iterator" --query 'length(Records)')" 2
echo "  ok      the AWS CLI ($(/usr/bin/aws --version 2>&1 | cut -d' ' -f1))"
