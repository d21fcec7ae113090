#!/bin/sh
# Starts a member the way orchestrators do: in the background, deaf to hang-ups, with its output in a file; waits
# two seconds and only looks whether the process is still there.
#   start_member.sh LOG PIDFILE COMMAND...
log=$1
pidfile=$2
shift 2

nohup "$@" >"$log" 2>&1 </dev/null &
pid=$!
echo "$pid" >"$pidfile"
sleep 2

if ! kill -0 "$pid" 2>/dev/null; then
    echo "the member ended at its start" >&2
    tail -n 5 "$log" >&2
    exit 1
fi
echo "started $pid"
