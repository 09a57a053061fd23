#!/bin/bash
# Ends with 0 if Janus' API, which speaks WebSocket only, answers HTTP at all. Settings as in janus-start.
address=${SHUANGLU_JANUS_POD_ADDRESS:-$(hostname -I | cut -d' ' -f1)}
exec 3<>"/dev/tcp/$address/${SHUANGLU_JANUS_API_PORT:-8188}" || exit 1
printf 'GET / HTTP/1.1\r\nHost: janus\r\nConnection: close\r\n\r\n' >&3
read -r -t 2 line <&3 && [[ $line == HTTP/1.1* ]]
