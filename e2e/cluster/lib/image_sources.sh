# What each image is made of: its parents, the files on this machine that go into it, and how they are staged.
# A context has bin/ (programs, without debug information) and lib/ (shared libraries, in their multiarch folder).

PROGRAMS=${TIDEGATE_BINARIES:-$REPO/build/release}
PRODUCT_IMAGES=(operator runtime runtime-tensorflow runtime-onnx runtime-litert gateway minio traffic)
# An image's parents come before it.
ALL_IMAGES=(pause coredns base tensorflow-libs "${PRODUCT_IMAGES[@]}")

python_package() { echo "$CACHE"/venv/lib/python3*/site-packages/"$1"; }

parents_of() {
  case $1 in
    pause | coredns | base) ;;
    runtime-tensorflow) echo tensorflow-libs runtime ;;
    runtime-onnx | runtime-litert) echo runtime ;;
    *) echo base ;;
  esac
}

sources_of() {
  case $1 in
    pause) echo "$REPO/images/pause/pause.c" ;;
    coredns | minio) readlink -f "$BIN/$1" || echo "$BIN/$1" ;;
    base) echo "$CACHE/debian-base.tar" ;;
    tensorflow-libs) echo "$(python_package tensorflow)"/libtensorflow_{cc,framework}.so.2 ;;
    operator) echo "$PROGRAMS/operator/tidegate-operator" ;;
    runtime) echo "$PROGRAMS/serving-runtime/tidegate-runtime" ;;
    # The runtime is a source too: the image needs the libraries of both.
    runtime-tensorflow)
      echo "$PROGRAMS/serving-runtime/backends/libtidegate_backend_tensorflow.so" "$(sources_of runtime)" ;;
    runtime-onnx)
      echo "$PROGRAMS/serving-runtime/backends/libtidegate_backend_onnx.so" "$(python_package onnxruntime)"/capi/libonnxruntime.so* ;;
    runtime-litert)
      echo "$PROGRAMS/serving-runtime/backends/libtidegate_backend_litert.so" "$(python_package ai_edge_litert)"/libLiteRt.so ;;
    gateway) echo "$(python_package envoy)/_bin/envoy" ;;
    traffic) echo "$PROGRAMS/e2e/traffic/tidegate-traffic" ;;
  esac
}

how_to_make() {
  case $1 in
    operator | runtime | runtime-tensorflow | runtime-onnx | runtime-litert | traffic) echo "build it with: make build-release" ;;
    pause) echo "it is part of the repository" ;;
    *) echo "make it with: tools/setup" ;;
  esac
}

# stage_file FILE TARGET: the same bytes; a hard link where that is possible.
stage_file() { mkdir -p "$(dirname "$2")"; ln -f "$1" "$2" 2>/dev/null || cp "$1" "$2"; }

# stage_program FILE CONTEXT: without debug information, which is most of its size.
stage_program() { mkdir -p "$2/bin"; objcopy --strip-debug "$1" "$2/bin/$(basename "$1")"; }

# stage_libraries CONTEXT FILE...: what the files load, except glibc, which belongs to the base image, and TensorFlow's,
# which have an image of their own.
stage_libraries() {
  local context=$1 library; shift
  mkdir -p "$context/lib"
  for library in $(ldd "$@" | awk '$2 == "=>" && $3 ~ "^/" { print $3 }' | sort -u |
    grep -vE '/(ld-linux.*|lib(c|m|dl|rt|pthread|resolv|util|nsl|anl)\.so.*|libtensorflow.*)$'); do
    # Merged /usr: the linker's cache may say /lib/… for /usr/lib/….
    library=/usr/${library#/}; library=${library/#\/usr\/usr/\/usr}
    mkdir -p "$context$(dirname "${library#/usr}")"
    cp -L "$library" "$context${library#/usr}"
  done
}

# stage_alias CONTEXT: the name that manifests for TensorFlow Serving start.
stage_alias() { mkdir -p "$1/links"; ln -sfn tidegate-runtime "$1/links/tensorflow_model_server"; }

# stage IMAGE CONTEXT
stage() {
  local sources; read -ra sources <<<"$(sources_of "$1")"
  case $1 in
    pause) mkdir -p "$2/bin"; gcc -Os -static -s -o "$2/bin/pause" "${sources[0]}" ;;
    coredns | minio | gateway) stage_file "${sources[0]}" "$2/bin/$(basename "$(readlink -f "${sources[0]}")" | sed 's/-v.*//')" ;;
    base) stage_file "${sources[0]}" "$2/debian-base.tar" ;;
    tensorflow-libs) for source in "${sources[@]}"; do stage_file "$source" "$2/lib/$(basename "$source")"; done ;;
    runtime-onnx)
      stage_program "${sources[0]}" "$2"
      for source in "${sources[@]:1}"; do stage_file "$source" "$2/onnxruntime/$(basename "$source")"; done
      stage_libraries "$2" "${sources[@]}" ;;
    # The library does not know its version; the backend reads it from the file.
    runtime-litert)
      stage_program "${sources[0]}" "$2"
      stage_file "${sources[1]}" "$2/litert/libLiteRt.so"
      sed -n 's/^ai-edge-litert==//p' "$REPO/tools/requirements-nodeps.txt" >"$2/litert/VERSION"
      stage_libraries "$2" "${sources[@]}" ;;
    operator | runtime | traffic | runtime-tensorflow)
      [[ $1 != runtime* ]] || stage_alias "$2"
      stage_program "${sources[0]}" "$2"
      stage_libraries "$2" "${sources[@]}" ;;
  esac
}
