#!/bin/sh
# Starts coturn in a container with a configuration in /tmp.
#
# SHUANGLU_TURN_SECRET_FILE     file with the secret that signaling makes passwords with; required
# SHUANGLU_TURN_ADDRESS         address that it listens at and relays from; default: the first of `hostname -I`
# SHUANGLU_TURN_PUBLIC_ADDRESS  address that clients reach it at; default: the same
# SHUANGLU_TURN_PORT            default 3478
# SHUANGLU_TURN_RELAY_PORTS     UDP ports of relays, `first-last`; default 49160-49259
# SHUANGLU_TURN_REALM           default shuanglu
set -eu

fail() { echo "coturn-start: $1" >&2; exit 2; }

file=${SHUANGLU_TURN_SECRET_FILE:-}
[ -n "$file" ] || fail "SHUANGLU_TURN_SECRET_FILE is not set"
[ -r "$file" ] || fail "SHUANGLU_TURN_SECRET_FILE cannot be read: $file"
address=${SHUANGLU_TURN_ADDRESS:-$(hostname -I | cut -d' ' -f1)}
public=${SHUANGLU_TURN_PUBLIC_ADDRESS:-$address}
ports=${SHUANGLU_TURN_RELAY_PORTS:-49160-49259}
umask 077
{
    echo "listening-ip=$address"
    echo "relay-ip=$address"
    [ "$public" = "$address" ] || echo "external-ip=$public/$address"
    echo "listening-port=${SHUANGLU_TURN_PORT:-3478}"
    echo "min-port=${ports%-*}"
    echo "max-port=${ports#*-}"
    echo "realm=${SHUANGLU_TURN_REALM:-shuanglu}"
    echo "use-auth-secret"
    echo "static-auth-secret=$(cat "$file")"
    printf '%s\n' fingerprint stale-nonce=600 no-cli no-tls no-dtls no-rfc5780 no-stun-backward-compatibility \
        no-multicast-peers no-software-attribute userdb=/tmp/turndb pidfile=/tmp/turnserver.pid log-file=stdout simple-log
} >/tmp/turnserver.conf
exec turnserver -c /tmp/turnserver.conf
