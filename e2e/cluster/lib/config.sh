# Configuration files of containerd, the network plugin, the kubelet and kube-proxy.

# Writes standard input to FILE only when it differs: kube-proxy exits when its file is rewritten, even unchanged.
write_if_changed() {
  local text; text=$(cat)
  [ -e "$1" ] && [ "$(cat "$1")" = "$text" ] && return
  mkdir -p "$(dirname "$1")"
  printf '%s\n' "$text" >"$1"
}

write_containerd_config() {
  write_if_changed "$CONF/containerd.toml" <<TOML
version = 2
root = "$STATE/containerd"
state = "$RUNTIME_DIR/containerd"
[grpc]
  address = "$CONTAINERD_SOCKET"
[ttrpc]
  address = "$CONTAINERD_SOCKET.ttrpc"
[plugins."io.containerd.internal.v1.opt"]
  path = "$STATE/containerd-opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$REGISTRY/pause:dev"
  netns_mounts_under_state_dir = true
  disable_apparmor = true
  # Without CAP_SYS_RESOURCE runc cannot lower oom_score_adj and dies with "can't get final child's PID from pipe: EOF".
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$CONF/cni"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "$CONF/registry"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "$(command -v runc)"
        SystemdCgroup = false
        Root = "$RUNTIME_DIR/runc"
TOML
  # Every registry's name leads to a closed port here: a missing image fails at once and nothing leaves the machine.
  write_if_changed "$CONF/registry/_default/hosts.toml" <<'TOML'
server = "http://127.0.0.1:1"
[host."http://127.0.0.1:1"]
  capabilities = ["pull", "resolve"]
TOML
}

write_network_config() {
  write_if_changed "$CONF/cni/10-tidegate.conflist" <<JSON
{"cniVersion": "0.4.0", "name": "tidegate", "plugins": [
  {"type": "bridge", "bridge": "$POD_BRIDGE", "isGateway": true, "isDefaultGateway": true, "ipMasq": false,
   "hairpinMode": true, "mtu": 1500,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "$POD_CIDR"}]], "dataDir": "$STATE/cni-data"}}]}
JSON
  # No upstream server: look-ups outside the cluster fail at once.
  write_if_changed "$CONF/resolv.conf" <<<"options ndots:1"
}

write_kubelet_config() {
  write_if_changed "$CONF/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $NODE_IP
port: 10250
readOnlyPort: 0
healthzBindAddress: 127.0.0.1
healthzPort: 10248
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $PKI/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $PKI/kubelet-serving.crt
tlsPrivateKeyFile: $PKI/kubelet-serving.key
clusterDomain: $CLUSTER_DOMAIN
clusterDNS: [$DNS_IP]
resolvConf: $CONF/resolv.conf
containerRuntimeEndpoint: unix://$CONTAINERD_SOCKET
cgroupDriver: cgroupfs
cgroupRoot: /
enforceNodeAllocatable: [pods]
failCgroupV1: false
failSwapOn: false
podLogsDir: $STATE/pod-logs
volumePluginDir: $STATE/volume-plugins
nodeStatusUpdateFrequency: 5s
nodeStatusReportFrequency: 30s
syncFrequency: 10s
maxPods: 110
serializeImagePulls: false
# Images come from this machine only, so the kubelet must never throw one away.
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
evictionHard: {memory.available: 200Mi, nodefs.available: 500Mi, imagefs.available: 500Mi, nodefs.inodesFree: 1%}
systemReserved: {memory: 1Gi}
shutdownGracePeriod: 0s
YAML
}

write_proxy_config() {
  write_if_changed "$CONF/kube-proxy.yaml" <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: $PKI/proxy.kubeconfig}
hostnameOverride: $NODE
mode: iptables
clusterCIDR: $POD_CIDR
bindAddress: 0.0.0.0
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
nodePortAddresses: ["$NODE_CIDR"]
iptables: {localhostNodePorts: false, minSyncPeriod: 0s}
# 0 leaves the machine's own values alone.
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
YAML
}

write_configuration() {
  write_containerd_config
  write_network_config
  write_kubelet_config
  write_proxy_config
}
