#!/bin/sh
# Makes what a fresh Debian machine lacks:
#   setup.sh demo|dev VENV   a virtual environment with the project and that extra
#   setup.sh system          the foreign programs the tests talk to, if we may install them
set -eu
cd "$(dirname "$0")/.."

SYSTEM_PACKAGES="mosquitto nats-server rabbitmq-server iproute2 libfaketime mbpoll libmodbus-dev socat gcc libc6-dev pkg-config openssl systemd e2fsprogs mount qemu-system-common dbus-daemon"

may_install() { command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; }

apt() {
    [ "$(id -u)" = 0 ] && run="" || run="sudo -n"
    export DEBIAN_FRONTEND=noninteractive
    # A broker that Debian starts as a service would hold port 1883; the tests start their own.
    $run env RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 || {
        $run apt-get update -qq >/dev/null
        $run env RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    }
}

python() {
    for name in python3.13 python3.12 python3.11 python3; do
        if command -v "$name" >/dev/null &&
            "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    echo "setup: Python 3.11 or newer is needed (apt-get install python3)" >&2
    exit 1
}

environment() {
    extra=$1 venv=$2 python=$(python)
    if [ ! -x "$venv/bin/pip" ]; then
        echo "setup: making $venv"
        if ! "$python" -c 'import ensurepip' 2>/dev/null; then
            may_install || { echo "setup: apt-get install python3-venv, then again" >&2; exit 1; }
            apt python3-venv
        fi
        "$python" -m venv --clear "$venv"
    fi
    echo "setup: installing tidegate[$extra] and what it needs"
    "$venv/bin/pip" install -q --disable-pip-version-check --upgrade pip "setuptools>=77" wheel
    PYTHONWARNINGS=ignore "$venv/bin/pip" install -q --disable-pip-version-check \
        --no-build-isolation -e ".[$extra]"
    touch "$venv/.$extra"
}

system() {
    missing=""
    for package in $SYSTEM_PACKAGES; do
        dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
    done
    [ -z "$missing" ] && return
    if may_install; then
        echo "setup: installing$missing"
        apt $missing
    else
        echo "setup: not root and no sudo: tests that need$missing will be skipped and say so"
    fi
}

case "$1" in
demo | dev) environment "$1" "$2" ;;
system) system ;;
*) echo "usage: setup.sh demo|dev VENV | system" >&2; exit 2 ;;
esac
