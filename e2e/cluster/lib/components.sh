# The daemons of the node, one function each, and what tells that they are ready.

start_etcd() {
  local client=http://127.0.0.1:$STORE_PORT peer=http://127.0.0.1:$STORE_PEER_PORT
  # The cluster is made to be thrown away, so a lost write at a power cut costs nothing and fsync buys nothing.
  start_daemon etcd "$BIN/etcd" --name "$NODE" --data-dir "$STATE/etcd" --unsafe-no-fsync \
    --listen-client-urls "$client" --advertise-client-urls "$client" --listen-peer-urls "$peer" \
    --initial-advertise-peer-urls "$peer" --initial-cluster "$NODE=$peer" --quota-backend-bytes 1073741824
}
etcd_ready() { curl -fsS "http://127.0.0.1:$STORE_PORT/health"; }

start_containerd() { start_daemon containerd containerd --config "$CONF/containerd.toml"; }
containerd_ready() { ctr_k8s version; }

start_api_server() {
  start_daemon kube-apiserver "$BIN/kube-apiserver" \
    --etcd-servers="http://127.0.0.1:$STORE_PORT" --bind-address="$NODE_IP" --advertise-address="$NODE_IP" \
    --secure-port="$API_PORT" --service-cluster-ip-range="$SERVICE_CIDR" \
    --tls-cert-file="$PKI/apiserver.crt" --tls-private-key-file="$PKI/apiserver.key" --client-ca-file="$PKI/ca.crt" \
    --kubelet-client-certificate="$PKI/apiserver-kubelet.crt" --kubelet-client-key="$PKI/apiserver-kubelet.key" \
    --kubelet-certificate-authority="$PKI/ca.crt" --kubelet-preferred-address-types=InternalIP \
    --service-account-issuer="https://kubernetes.default.svc.$CLUSTER_DOMAIN" \
    --service-account-key-file="$PKI/service-account.pub" \
    --service-account-signing-key-file="$PKI/service-account.key" \
    --requestheader-client-ca-file="$PKI/front-ca.crt" --requestheader-allowed-names=front-proxy-client \
    --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
    --requestheader-extra-headers-prefix=X-Remote-Extra- \
    --proxy-client-cert-file="$PKI/front-proxy.crt" --proxy-client-key-file="$PKI/front-proxy.key" \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged=true --profiling=false
}
api_server_ready() { curl -fsS --cacert "$PKI/ca.crt" "https://$NODE_IP:$API_PORT/readyz"; }

start_controller_manager() {
  start_daemon kube-controller-manager "$BIN/kube-controller-manager" --kubeconfig="$PKI/controller-manager.kubeconfig" \
    --authentication-kubeconfig="$PKI/controller-manager.kubeconfig" \
    --authorization-kubeconfig="$PKI/controller-manager.kubeconfig" --bind-address=127.0.0.1 --leader-elect=false \
    --use-service-account-credentials=true --service-account-private-key-file="$PKI/service-account.key" \
    --root-ca-file="$PKI/ca.crt" --cluster-signing-cert-file="$PKI/ca.crt" --cluster-signing-key-file="$PKI/ca.key" \
    --allocate-node-cidrs=false --flex-volume-plugin-dir="$STATE/volume-plugins" --profiling=false
}

start_scheduler() {
  start_daemon kube-scheduler "$BIN/kube-scheduler" --kubeconfig="$PKI/scheduler.kubeconfig" \
    --authentication-kubeconfig="$PKI/scheduler.kubeconfig" --authorization-kubeconfig="$PKI/scheduler.kubeconfig" \
    --bind-address=127.0.0.1 --leader-elect=false --profiling=false
}

start_kubelet() {
  start_daemon kubelet "$BIN/kubelet" --config="$CONF/kubelet.yaml" --root-dir="$STATE/kubelet" \
    --cert-dir="$STATE/kubelet/pki" --kubeconfig="$PKI/kubelet.kubeconfig" --hostname-override="$NODE" --node-ip="$NODE_IP"
}

start_proxy() { start_daemon kube-proxy "$BIN/kube-proxy" --config="$CONF/kube-proxy.yaml"; }

# Touching $STATE/sick-devices/nvidia.com-gpu-1 makes that device Unhealthy, as a broken card would be.
start_device_plugin() {
  mkdir -p "$STATE/sick-devices"
  start_daemon device-plugin env TIDEGATE_SICK_DEVICES="$STATE/sick-devices" "$BIN/deviceplugin" "${DEVICES[@]}"
}

# Seconds since 1970 at which the kubelet last said that it is Ready; nothing when it is not.
node_ready_since() {
  local status heartbeat
  read -r status heartbeat < <(kubectl get node "$NODE" -o \
    jsonpath='{range .status.conditions[?(@.type=="Ready")]}{.status} {.lastHeartbeatTime}{"\n"}{end}') || return 1
  [ "$status" = True ] && date -d "$heartbeat" +%s
}

# node_ready SECONDS_SINCE_1970: a kept etcd still holds the last run's Ready, so the heartbeat must be newer than the
# kubelet's start.
node_ready() {
  local heartbeat
  heartbeat=$(node_ready_since) && ((heartbeat >= $1))
}

devices_ready() {
  local device have
  for device in "${DEVICES[@]}"; do
    have=$(kubectl get node "$NODE" -o json | jq -r --arg name "${device%=*}" '.status.allocatable[$name] // "0"')
    [ "$have" = "${device#*=}" ] || return 1
  done
}
