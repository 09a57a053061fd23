#!/bin/sh
# A call by curl and JSON, as a bank's back end makes it: an order, a session, two links; nodes; the end; the report.
#
#   call.sh new ORDER.json          prints SESSION and a link for customer and agent
#   call.sh look SESSION            the call: who is there, what is proven of the recording
#   call.sh start SESSION NODE      begin a node of the script; `finish` ends it
#   call.sh end SESSION             end the call for everybody
#   call.sh report SESSION          the report's outcome, once it is there
#
# Environment: SHUANGLU_GATEWAY, SHUANGLU_TOKEN (role bank_app or agent), SHUANGLU_CA (development only).
set -eu

ask() { # method path [body]
  curl --silent --show-error --fail-with-body --max-time 30 ${SHUANGLU_CA:+--cacert "$SHUANGLU_CA"} \
    --request "$1" --header "Authorization: Bearer $SHUANGLU_TOKEN" \
    ${3:+--header "Content-Type: application/json" --data "$3"} "$SHUANGLU_GATEWAY$2"
}

field() { python3 -c "import json,sys; print(json.load(sys.stdin)$1)"; }

link() { # session participant
  ask POST "/v1/sessions/$1/invitations" "{\"participant_id\": \"$2\"}" | field "['invitation']['link']"
}

command=$1
case $command in
  new)
    order=$(ask POST /v1/orders "{\"order\": $(cat "$2")}" | field "['order']['order_id']")
    session=$(ask POST /v1/sessions "{\"order_id\": \"$order\", \"channel\": \"CHANNEL_REMOTE\"}" |
      field "['session']['session_id']")
    echo "session  $session"
    for who in customer agent; do echo "$who $SHUANGLU_GATEWAY$(link "$session" $who)"; done
    ;;
  look) ask GET "/v1/sessions/$2/call" ;;
  start | finish) ask POST "/v1/sessions/$2/nodes/$3:$command" '{}' ;;
  end) ask POST "/v1/sessions/$2/call:end" '{}' ;;
  report) ask GET "/v1/sessions/$2/report" | field "['report']['verdict']" ;;
  *) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
