# Daemons, known by pid and start time together, so that a recycled pid is never signalled.

# Ticks since boot at which process PID started; empty when there is none.
start_time_of() { awk '{ sub(/^.*\) /, ""); print $20 }' "/proc/$1/stat" 2>/dev/null || true; }

pid_of() { awk '{ print $1 }' "$PIDS/$1"; }

is_running() {
  local pid started
  [ -s "$PIDS/$1" ] || return 1
  read -r pid started <"$PIDS/$1"
  [ "$(start_time_of "$pid")" = "$started" ]
}

any_running() {
  local name
  for name in "${DAEMONS[@]}"; do is_running "$name" && return; done
  return 1
}

# start_daemon NAME COMMAND...: does nothing when NAME runs already.
start_daemon() {
  local name=$1 pid; shift
  is_running "$name" && return
  mkdir -p "$PIDS" "$LOGS"
  setsid "$CLUSTER_DIR/lib/detach" "$SYSTEM_CGROUP/$name" "$@" >"$LOGS/$name.log" 2>&1 </dev/null &
  pid=$!
  disown
  echo "$pid $(start_time_of "$pid")" >"$PIDS/$name"
}

# wait_ready DAEMON SECONDS COMMAND...: until COMMAND succeeds; gives up when the daemon has died or time is up.
wait_ready() {
  local name=$1 limit=$2 deadline=$((SECONDS + $2)); shift 2
  until "$@" >/dev/null 2>&1; do
    is_running "$name" || fail_with_log "$name" "$name has stopped"
    ((SECONDS < deadline)) || fail_with_log "$name" "$name was not ready after $limit s"
    sleep 0.1
  done
}

fail_with_log() {
  tail -n 15 "$LOGS/$1.log" >&2 || true
  die "$2; the lines above are the end of $LOGS/$1.log. Take the rest down with e2e/cluster/down."
}

# stop_daemons SECONDS NAME...: TERM to all at once, KILL to those that are still there after SECONDS.
stop_daemons() {
  local limit=$1 name deadline; shift
  for name in "$@"; do is_running "$name" && kill -TERM "$(pid_of "$name")"; done
  deadline=$((SECONDS + limit))
  for name in "$@"; do
    while is_running "$name" && ((SECONDS < deadline)); do sleep 0.05; done
    if is_running "$name"; then
      warn "$name did not stop within $limit s and is killed"
      kill -KILL "$(pid_of "$name")"
      while is_running "$name"; do sleep 0.05; done
    fi
    rm -f "$PIDS/$name"
  done
}
