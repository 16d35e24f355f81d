#!/bin/sh
# Secrets for compose.yaml, made once: .env and secrets/tenants.json beside this file, or in the
# folder that is given. What exists is kept.
#
#   sh deploy/make-secrets.sh <address of this machine as browsers reach it> [folder]
set -eu

if [ $# -lt 1 ]; then
  echo "usage: sh $0 <address of this machine as browsers reach it> [folder]" >&2
  exit 64
fi
address=$1
folder=${2:-$(dirname "$0")}

if [ -e "$folder/.env" ] || [ -e "$folder/secrets/tenants.json" ]; then
  echo "$folder has secrets already; remove .env and secrets/tenants.json for new ones." >&2
  exit 1
fi

random() {
  od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
}
tenant_secret=$(random)
api_key=$(random)

umask 077
mkdir -p "$folder/secrets"
cat > "$folder/secrets/tenants.json" <<JSON
[
  {
    "id": "demo",
    "secrets": [{ "kid": "demo-1", "secret": "$tenant_secret" }],
    "apiKeys": ["$api_key"]
  }
]
JSON
# The gateway's container reads this one file, as a user of its own; the folder keeps others out.
chmod 644 "$folder/secrets/tenants.json"

cat > "$folder/.env" <<ENV
BEDSIDE_PUBLIC_ADDRESS=$address
BEDSIDE_REDIS_PASSWORD=$(random)
BEDSIDE_CONTROL_SECRET=$(random)
BEDSIDE_GUEST_SECRET=$(random)
PORTAL_TENANT_SECRET=$tenant_secret
PORTAL_API_KEY=$api_key
ENV
echo "Wrote $folder/.env and $folder/secrets/tenants.json"
