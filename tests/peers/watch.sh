#!/bin/sh
# Runs a command and notes how it ended, which no SDK tells its caller.
#
#   watch.sh DIRECTORY COMMAND [ARGUMENT...]
#
# DIRECTORY gets two files, named after the id of this process: `<id>.child`, the id of the
# command, as soon as it runs, and `<id>.exit`, its exit status, when it has ended.
set -u
directory=$1
shift

# A shell gives a background command no standard input, unless it comes as another descriptor.
exec 3<&0
"$@" <&3 3<&- &
child=$!
exec 0</dev/null 1>/dev/null 3<&-

# Renamed, so that a reader never sees half of it.
note() {
  echo "$2" >"$directory/$$.part"
  mv "$directory/$$.part" "$directory/$$.$1"
}

trap 'kill -TERM "$child" 2>/dev/null' TERM INT HUP
note child "$child"
while :; do
  # A signal ends `wait` early: then wait again.
  wait "$child"
  status=$?
  kill -0 "$child" 2>/dev/null || break
done
note exit "$status"
exit "$status"
