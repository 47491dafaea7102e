#!/usr/bin/env bash
# Makes sure that the tests find a PostgreSQL server's programs; starts nothing.
# Looks where tests/postgresql.py looks, and asks Debian's apt when there are none.
set -euo pipefail

has_server() {
  local folder
  for folder in "$(dirname "$(readlink -f "$(command -v initdb || echo /nowhere/initdb)")")" /usr/lib/postgresql/*/bin; do
    [[ -x $folder/initdb && -x $folder/pg_ctl && -x $folder/postgres ]] && return 0
  done
  return 1
}

has_server && exit 0
if ! command -v apt-get >/dev/null; then
  echo "PostgreSQL's server is missing: install its initdb, pg_ctl and postgres into PATH" >&2
  exit 1
fi
as_root=()
[[ $(id -u) -eq 0 ]] || as_root=(sudo -n)
echo "installing PostgreSQL through apt" >&2
"${as_root[@]}" apt-get update -qq
# No cluster of its own: the tests make theirs in a temporary folder.
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >/dev/null
has_server || { echo "apt installed PostgreSQL, but its programs are not to be found" >&2; exit 1; }
