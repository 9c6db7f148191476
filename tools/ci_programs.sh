#!/bin/sh
# What the suite would skip without: a browser, Node.js and npm, Redis, from Debian's packages. What is there is left alone.
set -eu

install() {
    echo "installing $1 …"
    [ -n "${listed:-}" ] || apt-get update -qq
    listed=yes
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends "$1" >/dev/null
}

command -v chromium >/dev/null || install chromium
command -v redis-server >/dev/null || install redis-server
node -e 'process.exit(parseInt(process.versions.node) < 18)' 2>/dev/null || install nodejs
command -v npm >/dev/null || install npm
