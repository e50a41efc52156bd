#!/bin/sh
# The browser tests need Chromium. Installed from the system's packages where this may be done; else said aloud.
set -eu
if command -v chromium >/dev/null 2>&1; then
  exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "installing Chromium for the browser tests ..."
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
elif [ "${CI:-}" = true ]; then
  echo "CI needs Chromium for the browser tests" >&2
  exit 1
else
  echo "skipping the browser tests: no Chromium here and no right to install it (apt-get install chromium)" >&2
fi
