# Sourced first by every script of this folder: where things lie, and the node's names, addresses and ports.
set -euo pipefail
export LC_ALL=C.UTF-8                 # numbers with a point, whatever the machine's language is
CLUSTER_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
REPO=$(cd "$CLUSTER_DIR/../.." && pwd)
CACHE=${TIDEGATE_CACHE:-$HOME/.cache/tidegate}
BIN=$CACHE/bin                        # made by tools/setup
STATE=$CACHE/cluster                  # everything of this cluster that is a file: keys, etcd, images, pods, logs
PKI=$STATE/pki CONF=$STATE/conf LOGS=$STATE/logs PIDS=$STATE/pids BEFORE=$STATE/host-before
RUNTIME_DIR=/run/tidegate-cluster     # sockets and mounts: a socket's path may have 108 characters at most
CONTAINERD_SOCKET=$RUNTIME_DIR/containerd.sock
ADMIN_KUBECONFIG=$STATE/admin.kubeconfig

NODE=tidegate-a
NODE_BRIDGE=tidegate0                 # carries the node's address and nothing else, so the node is on no real network
NODE_IP=172.29.213.1
NODE_CIDR=172.29.213.0/24
POD_BRIDGE=tidegate-pods
POD_CIDR=10.213.0.0/24
SERVICE_CIDR=10.212.0.0/16
API_SERVICE_IP=10.212.0.1
DNS_IP=10.212.0.10
CLUSTER_DOMAIN=cluster.local
API_PORT=6443
# Not called ETCD_*: etcd reads every such environment variable as a flag.
STORE_PORT=22379 STORE_PEER_PORT=22380
REGISTRY=tidegate.local               # nothing answers there, so an image is either loaded or missing
FORWARD_CHAIN=TIDEGATE-FORWARD
SYSTEM_CGROUP=tidegate-system
DEVICES=(nvidia.com/gpu=2 google.com/tpu=4)
# In the order in which they stop.
DAEMONS=(device-plugin kube-proxy kubelet kube-scheduler kube-controller-manager kube-apiserver containerd etcd)

export PATH=$BIN:$PATH:/usr/sbin:/sbin
export KUBECONFIG=$ADMIN_KUBECONFIG

say() { printf 'cluster: %s\n' "$*"; }
warn() { printf 'cluster: %s\n' "$*" >&2; }
die() { warn "$*"; exit 1; }
usage_of() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$1"; }

ctr_k8s() { ctr -a "$CONTAINERD_SOCKET" -n k8s.io "$@"; }

# Bridges, cgroups and packet rules have one name on a machine, so a second cache must not touch the first one's cluster.
check_owner() {
  local owner; owner=$(cat "$RUNTIME_DIR/owner" 2>/dev/null) || return 0
  [ "$owner" = "$STATE" ] || die "the cluster on this machine belongs to $owner; set TIDEGATE_CACHE=$(dirname "$owner")"
}

# take_lock NAME: one script at a time does what NAME stands for; the lock ends with this process.
take_lock() {
  mkdir -p "$CACHE"
  exec {lock_descriptor}>"$CACHE/$1.lock"
  flock -n "$lock_descriptor" && return
  say "another process holds $CACHE/$1.lock; waiting for it"
  flock "$lock_descriptor"
}
