# Keys, certificates and kubeconfigs of the cluster (ECDSA P-256, made with openssl).

make_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }

# make_authority NAME COMMON_NAME
make_authority() {
  make_key "$1"
  openssl req -x509 -new -key "$1.key" -sha256 -days 3650 -subj "/CN=$2" -out "$1.crt" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature
}

# make_certificate NAME AUTHORITY SUBJECT serverAuth|clientAuth [SUBJECT_ALTERNATIVE_NAMES]
make_certificate() {
  local name=$1 authority=$2 subject=$3 use=$4 names=${5:-}
  make_key "$name"
  {
    printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=%s\n' "$use"
    [ -z "$names" ] || printf 'subjectAltName=%s\n' "$names"
  } >"$name.ext"
  openssl req -new -key "$name.key" -subj "$subject" -out "$name.csr"
  openssl x509 -req -in "$name.csr" -CA "$authority.crt" -CAkey "$authority.key" -CAcreateserial -days 1825 -sha256 \
    -extfile "$name.ext" -out "$name.crt"
  rm "$name.csr" "$name.ext"
}

# write_kubeconfig USER FILE
write_kubeconfig() {
  cat >"$2" <<YAML
apiVersion: v1
kind: Config
clusters:
- name: tidegate
  cluster: {server: "https://$NODE_IP:$API_PORT", certificate-authority-data: $(base64 -w0 <ca.crt)}
users:
- name: $1
  user: {client-certificate-data: $(base64 -w0 <"$1.crt"), client-key-data: $(base64 -w0 <"$1.key")}
contexts:
- name: tidegate
  context: {cluster: tidegate, user: $1}
current-context: tidegate
YAML
}

make_all_keys() {
  local api_names="DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:localhost,IP:127.0.0.1"
  api_names+=",DNS:kubernetes.default.svc.$CLUSTER_DOMAIN,IP:$NODE_IP,IP:$API_SERVICE_IP"
  make_authority ca tidegate-cluster-ca
  make_authority front-ca tidegate-cluster-front-proxy-ca
  make_certificate apiserver ca "/CN=kube-apiserver" serverAuth "$api_names"
  # Bound to system:kubelet-api-admin by manifests/bootstrap.yaml.
  make_certificate apiserver-kubelet ca "/CN=kube-apiserver-kubelet-client" clientAuth
  make_certificate front-proxy front-ca "/CN=front-proxy-client" clientAuth
  make_certificate kubelet-serving ca "/O=system:nodes/CN=system:node:$NODE" serverAuth "DNS:$NODE,IP:$NODE_IP"
  make_certificate kubelet ca "/O=system:nodes/CN=system:node:$NODE" clientAuth
  make_certificate admin ca "/O=system:masters/CN=tidegate-admin" clientAuth
  make_certificate controller-manager ca "/CN=system:kube-controller-manager" clientAuth
  make_certificate scheduler ca "/CN=system:kube-scheduler" clientAuth
  make_certificate proxy ca "/CN=system:kube-proxy" clientAuth
  make_key service-account
  openssl ec -in service-account.key -pubout -out service-account.pub
  local user
  for user in controller-manager scheduler kubelet proxy; do write_kubeconfig "$user" "$user.kubeconfig"; done
  write_kubeconfig admin "$ADMIN_KUBECONFIG"
}

# Makes them once; a kept cluster keeps its keys, so kubeconfigs that somebody copied stay valid.
ensure_keys() {
  [ -e "$PKI/complete" ] && return
  rm -rf "$PKI"
  mkdir -p "$PKI" "$LOGS"
  if ! (umask 077; cd "$PKI"; set -e; make_all_keys) >"$LOGS/pki.log" 2>&1; then
    fail_with_log pki "the cluster's keys could not be made"
  fi
  touch "$PKI/complete"
}
