# What the cluster changes on the machine outside $STATE and $RUNTIME_DIR, and how each is given back.

# The kubelet, kube-proxy and the bridge plugin write these.
SYSCTLS=(net.ipv4.ip_forward vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops
  kernel.keys.root_maxkeys kernel.keys.root_maxbytes net.netfilter.nf_conntrack_max
  net.netfilter.nf_conntrack_tcp_timeout_established net.netfilter.nf_conntrack_tcp_timeout_close_wait
  net.ipv4.conf.all.route_localnet net.bridge.bridge-nf-call-iptables)
# Places that Kubernetes' and containerd's components insist on, children before parents.
HOST_PATHS=(/var/lib/cni /var/log/containers /var/log/pods /var/lib/kubelet/device-plugins /var/lib/kubelet
  /etc/cni/net.d /etc/cni /opt/cni/bin /opt/cni /opt/containerd/bin /opt/containerd/lib /opt/containerd
  /run/containerd /usr/libexec/kubernetes)
OUR_CHAINS='(KUBE-|TIDEGATE-)'

# Notes the machine's state before the first start; a second `up` must not take our own marks for the machine's.
record_host() {
  [ -e "$BEFORE/complete" ] && return
  mkdir -p "$BEFORE"
  sysctl "${SYSCTLS[@]}" >"$BEFORE/sysctls" 2>/dev/null || true
  nft list tables >"$BEFORE/nft-tables"
  local path
  for path in "${HOST_PATHS[@]}"; do [ ! -e "$path" ] || echo "$path"; done >"$BEFORE/paths"
  touch "$BEFORE/complete"
}

existed_before() { [ ! -e "$BEFORE/paths" ] || grep -qxF "$1" "$BEFORE/paths"; }

restore_sysctls() { [ ! -s "$BEFORE/sysctls" ] || sysctl -q -p "$BEFORE/sysctls" || true; }

remove_host_paths() {
  local path
  # cAdvisor's link, see up. A socket in its place belongs to another containerd, which came later and needs the folder.
  [ ! -L /run/containerd/containerd.sock ] || rm -f /run/containerd/containerd.sock
  for path in "${HOST_PATHS[@]}"; do
    [ "$path" = /run/containerd ] && [ -e "$path/containerd.sock" ] && continue
    existed_before "$path" || rm -rf "$path"
  done
}

create_network() {
  sysctl -q -w net.ipv4.ip_forward=1
  if ! ip link show "$NODE_BRIDGE" >/dev/null 2>&1; then
    ip link add "$NODE_BRIDGE" type bridge
    ip address add "$NODE_IP/24" dev "$NODE_BRIDGE"
    ip link set "$NODE_BRIDGE" up
  fi
  # Traffic to a Service that kube-proxy does not know must end here and not on the machine's default route.
  ip route replace "$SERVICE_CIDR" dev "$NODE_BRIDGE" src "$NODE_IP"
  # Pods talk to pods (also where another runtime drops forwarded packets by default) and to nobody outside.
  iptables -w -N "$FORWARD_CHAIN" 2>/dev/null || iptables -w -F "$FORWARD_CHAIN"
  iptables -w -A "$FORWARD_CHAIN" -i "$POD_BRIDGE" ! -o "$POD_BRIDGE" -j REJECT
  iptables -w -A "$FORWARD_CHAIN" -i "$POD_BRIDGE" -o "$POD_BRIDGE" -j ACCEPT
  iptables -w -C FORWARD -j "$FORWARD_CHAIN" 2>/dev/null || iptables -w -I FORWARD -j "$FORWARD_CHAIN"
}

# remove_chains PROGRAM TABLE: our chains and the rules that jump to them; everybody else's rules are not touched.
remove_chains() {
  local program=$1 table=$2 script
  script=$("$program-save" -t "$table" 2>/dev/null | awk -v table="$table" -v ours="$OUR_CHAINS" '
    $0 ~ "^:" ours { chain = substr($1, 2); flush = flush ":" chain " - [0:0]\n"; drop = drop "-X " chain "\n" }
    /^-A / && $2 !~ "^" ours && $0 ~ "-[jg] " ours { sub(/^-A/, "-D"); unhook = unhook $0 "\n" }
    END { if (drop) printf "*%s\n%s%s%sCOMMIT\n", table, flush, unhook, drop }')
  [ -z "$script" ] || "$program-restore" -w --noflush <<<"$script"
}

# The nftables back end makes its tables on first use; one that is ours and empty goes again.
remove_empty_table() {
  local family=$1 table=$2
  grep -qx "table $family $table" "$BEFORE/nft-tables" 2>/dev/null && return
  nft list table "$family" "$table" 2>/dev/null |
    grep -qvE '^table |^[[:space:]]*(chain (PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING) |type |}|$)' && return
  nft delete table "$family" "$table" 2>/dev/null || true
}

remove_packet_rules() {
  local program table family
  for table in nat filter mangle; do
    for program in iptables ip6tables; do remove_chains "$program" "$table"; done
    for family in ip ip6; do remove_empty_table "$family" "$table"; done
  done
}

remove_network() {
  local link
  if ip link show "$POD_BRIDGE" >/dev/null 2>&1; then
    for link in $(ip -o link show master "$POD_BRIDGE" | sed 's/^[0-9]*: \([^@:]*\).*/\1/'); do
      ip link delete "$link" 2>/dev/null || true
    done
  fi
  for link in "$POD_BRIDGE" "$NODE_BRIDGE"; do ip link delete "$link" 2>/dev/null || true; done
}

our_mounts() { awk '{ print $5 }' /proc/self/mountinfo | grep -E "^($STATE|$RUNTIME_DIR)(/|$)" | sort -r || true; }

remove_mounts() {
  local mount
  our_mounts | while read -r mount; do
    mount=$(printf '%b' "$mount")     # mountinfo writes a space as \040
    umount "$mount" 2>/dev/null || umount -l "$mount" 2>/dev/null || true
  done
}

# Every cgroup of ours; pods' are `kubepods` at the top, as the kubelet's cgroupfs driver makes them.
our_cgroups() {
  find /sys/fs/cgroup -maxdepth 2 -type d \( -name kubepods -o -name "$SYSTEM_CGROUP" \) 2>/dev/null || true
}

kill_pod_processes() {
  local group pid
  for group in $(our_cgroups | grep /kubepods$ || true); do
    for pid in $(find "$group" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u); do
      kill -KILL "$pid" 2>/dev/null || true
    done
  done
}

remove_cgroups() {
  local group attempt
  for attempt in 1 2 3 4 5; do
    for group in $(our_cgroups); do find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null || true; done
    [ -z "$(our_cgroups)" ] && return
    sleep 0.2
  done
}

# Shims of our containerd carry its socket in their arguments.
our_shims() { pgrep -f "containerd-shim-runc-v2 .*-address $CONTAINERD_SOCKET" || true; }

# One line for each thing of ours that is on the machine outside $STATE: none after `down`.
leftovers() {
  local thing
  for thing in $(our_shims); do echo "process $thing (containerd-shim)"; done
  for thing in $(our_mounts); do echo "mount $thing"; done
  for thing in $(our_cgroups); do echo "cgroup $thing"; done
  for thing in "$NODE_BRIDGE" "$POD_BRIDGE"; do
    if ip link show "$thing" >/dev/null 2>&1; then echo "network link $thing"; fi
  done
  { iptables-save; ip6tables-save; } 2>/dev/null | awk -v ours="$OUR_CHAINS" \
    '$0 ~ "^:" ours { n++ } END { if (n) print n " packet filter chains" }'
  [ ! -e "$RUNTIME_DIR" ] || echo "folder $RUNTIME_DIR"
  [ ! -e "$BEFORE/paths" ] || for thing in "${HOST_PATHS[@]}"; do
    existed_before "$thing" || [ ! -e "$thing" ] || echo "folder $thing"
  done
}
