#!/bin/sh
# What the tests need of the system: Chromium for the pages, and its shell without windows, which takes a third of the
# time; Node.js for Meta's Node SDK; curl; strace, faketime, ext4 and mount for the faults of disks and clocks; PostgreSQL
# and PgBouncer for the outbox of several machines; nginx and Caddy for the page on proxies; PHP for the WooCommerce
# shop's file; promtool for the alerts; for `make browsers` Firefox and WebKit. Installed from the system's packages where
# this may be done; else said aloud.
set -eu
missing=""
command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
command -v npm >/dev/null 2>&1 || missing="$missing nodejs npm"
command -v openssl >/dev/null 2>&1 || missing="$missing openssl"
command -v curl >/dev/null 2>&1 || missing="$missing curl"
command -v strace >/dev/null 2>&1 || missing="$missing strace"
command -v faketime >/dev/null 2>&1 || missing="$missing faketime"
command -v mkfs.ext4 >/dev/null 2>&1 || [ -x /sbin/mkfs.ext4 ] || missing="$missing e2fsprogs"
command -v prlimit >/dev/null 2>&1 || missing="$missing util-linux"
command -v ps >/dev/null 2>&1 || missing="$missing procps"
command -v mount >/dev/null 2>&1 || missing="$missing mount"
command -v nginx >/dev/null 2>&1 || [ -x /usr/sbin/nginx ] || missing="$missing nginx-light"
command -v caddy >/dev/null 2>&1 || missing="$missing caddy"
command -v php >/dev/null 2>&1 || missing="$missing php-cli"
command -v promtool >/dev/null 2>&1 || missing="$missing prometheus"
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || command -v postgres >/dev/null 2>&1 || missing="$missing postgresql"
command -v pgbouncer >/dev/null 2>&1 || [ -x /usr/sbin/pgbouncer ] || missing="$missing pgbouncer"
if [ "${OTHER_ENGINES:-}" = 1 ]; then
  command -v firefox-esr >/dev/null 2>&1 || command -v firefox >/dev/null 2>&1 || missing="$missing firefox-esr"
  ls /usr/lib*/*/webkit2gtk-4*/MiniBrowser >/dev/null 2>&1 || missing="$missing webkit2gtk-driver"
  command -v xvfb-run >/dev/null 2>&1 || missing="$missing xvfb xauth"
fi
# Not every system has it, and the tests do without: that it cannot be had ends nothing.
wish_for_shell() {
  command -v chromium-headless-shell >/dev/null 2>&1 && return
  [ "$(id -u)" = 0 ] && apt-cache show chromium-headless-shell >/dev/null 2>&1 || return 0
  echo "installing chromium-headless-shell for the tests ..."
  [ -n "$missing" ] || apt-get update -qq || return 0
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends --no-remove chromium-headless-shell >/dev/null ||
    echo "it cannot be installed; the tests take longer" >&2
}
[ -n "$missing" ] || { wish_for_shell; exit 0; }
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "installing$missing for the tests ..."
  apt-get update -qq
  # Whoever has both names has the old one for its last release.
  case "$missing" in
    *webkit2gtk-driver*)
      ! apt-cache show webkitgtk-webdriver >/dev/null 2>&1 ||
        missing="${missing%%webkit2gtk-driver*}webkitgtk-webdriver${missing#*webkit2gtk-driver}"
      ;;
  esac
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
  wish_for_shell
elif [ "${CI:-}" = true ]; then
  echo "CI needs$missing" >&2
  exit 1
else
  echo "skipping the tests that need them, for want of the right to install:$missing" >&2
fi
