#!/bin/sh
# Creates what Synapse needs on its first start (TLS certificate from the mounted authority, signing key, configuration)
# and then execs Synapse. Everything is in /data and survives a restart.
set -eu
trap 'exit 143' TERM INT # as process 1 a shell would ignore them; Synapse has its own handlers

fail() {
    echo "entrypoint: $*" >&2
    exit 2
}

authority=/complement/ca
data=/data

[ -n "${SERVER_NAME:-}" ] || fail "SERVER_NAME is not set: it must be the name of this homeserver"
for file in ca.crt ca.key; do
    [ -r "$authority/$file" ] || fail "$authority/$file cannot be read: the certificate authority must be mounted at $authority"
done
case "$SERVER_NAME" in
*[!][A-Za-z0-9._:-]*) fail "SERVER_NAME $SERVER_NAME is not a valid server name" ;;
esac

case "${MSC4014_LOG_LEVEL:-info}" in
trace | debug) level=DEBUG ;;
info) level=INFO ;;
warn) level=WARNING ;;
error) level=ERROR ;;
*) fail "MSC4014_LOG_LEVEL is $MSC4014_LOG_LEVEL: use one of trace, debug, info, warn, error" ;;
esac

# The certificate is for the host only, so remove a port and the brackets of an IPv6 address.
host=$SERVER_NAME
case "$host" in
\[*) host=${host#[}; host=${host%%]*} ;;
*) host=${host%:*} ;;
esac
case "$host" in
*:*) name="IP:$host" ;;
*[!0-9.]*) name="DNS:$host" ;;
*) name="IP:$host" ;;
esac

if [ ! -s $data/tls.crt ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
        -CA $authority/ca.crt -CAkey $authority/ca.key -days 3650 \
        -subj "/CN=homeserver" -addext "subjectAltName=$name" \
        -addext "basicConstraints=critical,CA:FALSE" -addext "extendedKeyUsage=serverAuth" \
        -keyout $data/tls.key -out $data/tls.crt.new 2>$data/tls.log || fail "no TLS certificate: $(cat $data/tls.log)"
    mv $data/tls.crt.new $data/tls.crt
fi

if [ ! -s $data/signing.key ]; then
    (umask 077 && echo "ed25519 a_1 $(head -c 32 /dev/urandom | base64 | tr -d =)" > $data/signing.key.new)
    mv $data/signing.key.new $data/signing.key
fi

sed "s|@SERVER_NAME@|$SERVER_NAME|" /synapse/homeserver.yaml > $data/homeserver.yaml
set -- /complement/appservice/*.yaml # registrations of application services, if there are any
if [ -e "$1" ]; then
    echo "app_service_config_files:" >> $data/homeserver.yaml
    printf "  - '%s'\n" "$@" >> $data/homeserver.yaml
fi
sed "s|@LOG_LEVEL@|$level|" /synapse/log.yaml > $data/log.yaml

# The servers of a run are never behind a proxy.
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY

export PYTHONPATH=/synapse # no_service_records.py
exec /usr/libexec/matrix-synapse/synapse_homeserver --config-path $data/homeserver.yaml
