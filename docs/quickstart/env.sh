# For the quickstart: a work folder of its own, and accounts at the pretend vendors of `dispatcher sandbox`.
# Use it from the top of the checkout, in every terminal, after the sandbox has started:  . docs/quickstart/env.sh
export DISPATCHER_WORK_DIR="$PWD/var/quickstart"
export DISPATCHER_ANCHOR__PATH="$PWD/var/quickstart-anchor.json"
export DISPATCHER_MODE=drill
export DISPATCHER_PUBLIC_URL=http://127.0.0.1:8700
export DISPATCHER_PROVIDERS__SENDGRID__BASE_URL=http://127.0.0.1:8800
export DISPATCHER_PROVIDERS__SENDGRID__API_KEY=SG.sandbox
export DISPATCHER_PROVIDERS__SENDGRID__SENDER=care@example.com
DISPATCHER_PROVIDERS__SENDGRID__WEBHOOK_KEY=$(
  python3 -c 'import json; print(json.load(open("var/sandbox.json"))["public_key"])'
)
export DISPATCHER_PROVIDERS__SENDGRID__WEBHOOK_KEY
export DISPATCHER_PROVIDERS__TWILIO__BASE_URL=http://127.0.0.1:8800
export DISPATCHER_PROVIDERS__TWILIO__ACCOUNT_SID=AC00000000000000000000000000000000
export DISPATCHER_PROVIDERS__TWILIO__AUTH_TOKEN=sandbox-token
export DISPATCHER_PROVIDERS__TWILIO__SENDER=+447700900999
export DISPATCHER_PROVIDERS__X__BASE_URL=http://127.0.0.1:8800
export DISPATCHER_PROVIDERS__X__BEARER_TOKEN=sandbox
export DISPATCHER_PROVIDERS__X__USER_ID=1000000001
