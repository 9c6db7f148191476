#!/bin/sh
# What the suite would skip without, from Debian's packages: a browser, Redis, namespaces' network, Node.js and npm.
# What is there already is left alone.
set -eu

install() {
    echo "installing $1 …"
    [ -n "${listed:-}" ] || apt-get update -qq
    listed=yes
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends "$1" >/dev/null
}

command -v chromium >/dev/null || install chromium
command -v redis-server >/dev/null || install redis-server
command -v ip >/dev/null || install iproute2
node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null || install nodejs
command -v npm >/dev/null || install npm
