# What must be true before the first daemon starts. Every finding is one sentence; all are told at once.

PORTS=("$API_PORT" "$STORE_PORT" "$STORE_PEER_PORT" 10248 10249 10250 10256 10257 10259)
MEMORY_MIB=3000                       # control plane 700 MiB, the rest for pods
DISK_MIB=8000                         # images: about 4 GiB in containerd, the rest for pods and etcd
FINDINGS=()

find_fault() { FINDINGS+=("$*"); }

check_paths() {
  case $REPO$CACHE in
    *[[:space:]]*) find_fault "spaces in $REPO or $CACHE: put both where there are none (TIDEGATE_CACHE moves the second)" ;;
  esac
}

check_root() { [ "$(id -u)" = 0 ] || find_fault "this needs root: it makes network bridges, mounts and cgroups"; }

check_tools() {
  local tool
  for tool in containerd ctr runc ip iptables ip6tables nft jq curl openssl setsid flock awk /usr/lib/cni/bridge \
    "$BIN"/{etcd,kube-apiserver,kube-controller-manager,kube-scheduler,kubelet,kube-proxy,kubectl,coredns,deviceplugin}; do
    command -v "$tool" >/dev/null || find_fault "$tool is missing; run tools/setup"
  done
}

check_memory() {
  local have; have=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
  ((have >= MEMORY_MIB)) || find_fault "$have MiB of memory are available and $MEMORY_MIB MiB are needed; end something large"
}

check_disk() {
  local have; mkdir -p "$CACHE"
  have=$(df --output=avail -m "$CACHE" | tail -n 1)
  ((have >= DISK_MIB)) || find_fault "$((have)) MiB are free under $CACHE and $DISK_MIB MiB are needed; free some or set TIDEGATE_CACHE"
}

check_ports() {
  local port owner
  for port in "${PORTS[@]}"; do
    owner=$(ss -Hltnp "sport = :$port" | sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/\1 (pid \2)/p' | head -n 1)
    [ -z "$(ss -Hltn "sport = :$port")" ] ||
      find_fault "TCP port $port is taken by ${owner:-another process}; only one Kubernetes node fits on a machine"
  done
}

check_networks() {
  local network
  for network in "$NODE_CIDR" "$POD_CIDR" "$SERVICE_CIDR"; do
    [ -z "$(ip -4 route show root "$network" | grep -v -e "dev $NODE_BRIDGE" -e "dev $POD_BRIDGE")" ] ||
      find_fault "the network $network is already routed on this machine (see: ip route show root $network)"
  done
}

check_cgroups() {
  [ -e /sys/fs/cgroup/cgroup.controllers ] || [ -d /sys/fs/cgroup/memory ] ||
    find_fault "no cgroup hierarchy is mounted under /sys/fs/cgroup"
}

check_kernel() {
  grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null || find_fault "the kernel has no overlayfs"
  # Built in or absent on many kernels; without it traffic between pods of one bridge does not pass kube-proxy's rules.
  [ -e /proc/sys/net/bridge ] || modprobe br_netfilter 2>/dev/null || true
}

preflight() {
  local check
  check_paths
  check_root
  # The others need root themselves to see what they look for.
  if ((${#FINDINGS[@]} == 0)); then
    for check in check_tools check_memory check_disk check_cgroups check_kernel; do $check; done
    # A node that runs already holds its own ports and routes.
    any_running || { check_ports; check_networks; }
  fi
  ((${#FINDINGS[@]} == 0)) && return
  warn "this machine is not ready:"
  printf '  - %s\n' "${FINDINGS[@]}" >&2
  exit 1
}
