#!/bin/sh
# Starts Janus in a container: fills in the templates of services/media-ingest/janus below /tmp and runs it in the spool.
#
#   janus-start          run
#   janus-start wait     preStop: returns when the recorder beside it says that the node is drained, or when time is up
#   janus-start render   fill in the templates and end
#
# SHUANGLU_JANUS_SECRET_FILE     file with the secret of its API; required
# SHUANGLU_JANUS_POD_ADDRESS     address in the container that media and API listen at; default: the first of `hostname -I`
# SHUANGLU_JANUS_PUBLIC_ADDRESS  address that clients are told; default: SHUANGLU_JANUS_HOST_ADDRESS, else the pod's own;
#                                with commas: a list, of which the node takes the one that its name's number says, from 0
# SHUANGLU_JANUS_HOST_ADDRESS    address of the machine, where its ports are the container's (host ports)
# SHUANGLU_JANUS_RTP_PORTS       UDP ports of media, `first-last`; default 20000-20199
# SHUANGLU_JANUS_API_PORT        port of its WebSocket API; default 8188
# SHUANGLU_JANUS_NODE            name of the node; default media
# SHUANGLU_JANUS_SPOOL_DIR       folder that it records to, the recorder's SHUANGLU_LIVE_SPOOL_DIR; default /spool
# SHUANGLU_JANUS_TEMPLATES_DIR   folder of the templates; default /opt/shuanglu/janus
# SHUANGLU_JANUS_CONFIG_DIR      folder for the configuration, in memory at best; default /tmp/janus
# SHUANGLU_LIVE_DRAIN_S          seconds that `wait` waits, and 30 more; default 3600
set -eu

spool=${SHUANGLU_JANUS_SPOOL_DIR:-/spool}
templates=${SHUANGLU_JANUS_TEMPLATES_DIR:-/opt/shuanglu/janus}
config=${SHUANGLU_JANUS_CONFIG_DIR:-/tmp/janus}

fail() {
    echo "janus-start: $1" >&2
    exit 2
}

wait_until_drained() {
    limit=${SHUANGLU_LIVE_DRAIN_S:-3600}
    left=$((${limit%.*} + 30))
    while [ ! -e "$spool/.drained" ] && [ "$left" -gt 0 ]; do
        sleep 1
        left=$((left - 1))
    done
    if [ ! -e "$spool/.drained" ]; then
        echo "janus-start: time is up and the recorder has not said that the node is drained" >&2
        exit 3
    fi
}

# A value may hold no character that means something in Janus' configuration or to sed.
checked() {
    case $2 in
        *[!A-Za-z0-9_.:,+/=-]*) fail "$1 holds a character other than letters, digits and _.:,+/=-" ;;
        "") fail "$1 is empty" ;;
    esac
}

render() {
    file=${SHUANGLU_JANUS_SECRET_FILE:-}
    [ -n "$file" ] || fail "SHUANGLU_JANUS_SECRET_FILE is not set"
    [ -r "$file" ] || fail "SHUANGLU_JANUS_SECRET_FILE cannot be read: $file"
    [ -r "$templates/janus.jcfg" ] || fail "no templates in $templates (SHUANGLU_JANUS_TEMPLATES_DIR)"
    plugin=$(find /usr/lib -name libjanus_videoroom.so 2>/dev/null | head -n 1)
    [ -n "$plugin" ] || fail "Janus is not installed: no libjanus_videoroom.so below /usr/lib"
    secret=$(cat "$file")
    own=${SHUANGLU_JANUS_POD_ADDRESS:-$(hostname -I | cut -d' ' -f1)}
    public=${SHUANGLU_JANUS_PUBLIC_ADDRESS:-${SHUANGLU_JANUS_HOST_ADDRESS:-$own}}
    ports=${SHUANGLU_JANUS_RTP_PORTS:-20000-20199}
    api_port=${SHUANGLU_JANUS_API_PORT:-8188}
    node=${SHUANGLU_JANUS_NODE:-media}
    case $public in
        *,*)
            number=${node##*-}
            case $number in
                "" | *[!0-9]*) fail "SHUANGLU_JANUS_PUBLIC_ADDRESS is a list, and SHUANGLU_JANUS_NODE ends with no number" ;;
            esac
            public=$(echo "$public" | cut -d, -f$((number + 1)))
            ;;
    esac
    checked "the secret in $file" "$secret"
    checked SHUANGLU_JANUS_POD_ADDRESS "$own"
    checked SHUANGLU_JANUS_PUBLIC_ADDRESS "$public"
    checked SHUANGLU_JANUS_RTP_PORTS "$ports"
    checked SHUANGLU_JANUS_API_PORT "$api_port"
    checked SHUANGLU_JANUS_NODE "$node"
    mapping=
    [ "$public" = "$own" ] || mapping="nat_1_1_mapping = \"$public\""
    umask 077
    mkdir -p "$config"
    for name in janus.jcfg janus.transport.websockets.jcfg janus.plugin.videoroom.jcfg; do
        # The secret goes in by a script on standard input: arguments are seen by everybody.
        sed -f - "$templates/$name" > "$config/$name" <<SCRIPT
s|\${config_dir}|$config|g
s|\${janus_dir}|${plugin%/plugins/*}|g
s|\${api_secret}|$secret|g
s|\${api_address}|$own|g
s|\${api_port}|$api_port|g
s|\${node}|$node|g
s|\${rtp_ports}|$ports|g
s|\${ice_addresses}|$own|g
s|\${nat_mapping}|$mapping|g
SCRIPT
        ! grep -n '\${' "$config/$name" || fail "$name has a name that nobody fills in"
    done
}

case ${1:-run} in
    wait) wait_until_drained ;;
    render) render ;;
    run)
        render
        # Files of recordings are named relative to where it runs. The recorder reads them: same user, same group.
        cd "$spool" || fail "no spool: $spool (SHUANGLU_JANUS_SPOOL_DIR)"
        umask 027
        exec janus -F "$config" -C "$config/janus.jcfg"
        ;;
    *) fail "unknown command $1; known: run, wait, render" ;;
esac
