#!/bin/bash
# Ends with 0 if coturn takes connections. Settings as in coturn-start.
address=${SHUANGLU_TURN_ADDRESS:-$(hostname -I | cut -d' ' -f1)}
exec 3<>"/dev/tcp/$address/${SHUANGLU_TURN_PORT:-3478}"
