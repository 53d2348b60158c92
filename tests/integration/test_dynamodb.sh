#!/bin/sh
# A whole pollard on a scripted DynamoDB Streams server. See test_dynamodb.py.
set -eu
exec python3 tests/integration/test_dynamodb.py "$1"
