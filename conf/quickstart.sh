#!/usr/bin/env bash
# What `make run` ends in: three demo origins, weir in front of them on conf/quickstart.yaml, and
# five lines to try. Ctrl-C stops all of it. Usage: conf/quickstart.sh PATH_TO_WEIR
set -euo pipefail
cd "$(dirname "$0")/.."
weir=$1
gateway=127.0.0.1:8080
admin=127.0.0.1:9901
pids=()

stop() {
  trap '' INT TERM
  trap - EXIT
  # weir first, so that it can finish what is in flight while the origins still answer.
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
    kill "${pids[i]}" 2>/dev/null || true
    wait "${pids[i]}" 2>/dev/null || true
  done
  echo "stopped"
}
trap stop EXIT
trap 'exit 0' INT TERM

"$weir" check conf/quickstart.yaml >/dev/null || exit 1
port=9001
for name in blue-1 blue-2 green-1; do
  "$weir" origin --name "$name" --listen "127.0.0.1:$port" >/dev/null &
  pids+=($!)
  port=$((port + 1))
done
"$weir" run -c conf/quickstart.yaml &  # its access log shows what the lines below do
pids+=($!)

for _ in $(seq 100); do
  curl -fs -o /dev/null "http://$admin/readyz" && break
  for pid in "${pids[@]}"; do
    kill -0 "$pid" 2>/dev/null || { echo "weir or an origin did not start; is a port of 8080, 9001-9003, 9901 taken?" >&2; exit 1; }
  done
  sleep 0.1
done
curl -fs -o /dev/null "http://$admin/readyz" || { echo "weir is not ready after 10 s" >&2; exit 1; }

cat <<TEXT

  weir      http://$gateway   conf/quickstart.yaml
  admin     http://$admin   /metrics /healthz /readyz
  origins   blue-1 127.0.0.1:9001, blue-2 127.0.0.1:9002, green-1 127.0.0.1:9003

Try, in another terminal:
  curl -i http://$gateway/hello                        # weir answers by itself
  curl -s http://$gateway/blue/ http://$gateway/blue/   # two origins take turns; what they saw
  curl -i 'http://$gateway/green/slow?delay=300ms'     # delay, status, size, reset: on demand
  curl -i 'http://$gateway/green/?reset=1'             # an origin that fails: why, in Proxy-Status
  curl -i http://$gateway/nowhere                      # no route: why, in Proxy-Status

TEXT
echo "Ctrl-C stops all of it."
wait -n "${pids[@]}" || true
echo "one of the processes ended; stopping the others" >&2
exit 1
