#!/bin/sh
# Builds dist/<function>.zip for every function: ./build_lambda_package.sh [--arch arm64|x86_64] [--python 3.13] [--check]
set -eu
CDPATH= cd -- "$(dirname "$0")"
exec "${PYTHON:-python3}" build_lambda_package.py "$@"
