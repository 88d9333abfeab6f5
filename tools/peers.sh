#!/usr/bin/env bash
# Installs the registries that `make bench` measures Moorage against, each at a pinned version, and what measuring needs.
#
#   tools/peers.sh              into ${CLIENTS_DIR:-~/.cache/moorage/clients}; safe to repeat, quick when all is there
#
# A peer that cannot be had is said to be missing, here and in the benchmark's table; the others are measured all the same.
set -euo pipefail

# shellcheck source=tools/installing.sh
source "$(dirname "$0")/installing.sh"

# program, the name it is installed under, module, version, and what its build needs in the environment.
# Without build tags zot leaves its extensions out; its JSON code needs the experiment.
readonly modules=(
  "registry distribution github.com/distribution/distribution/v3/cmd/registry v3.1.2  CGO_ENABLED=0"
  "olareg   olareg       github.com/olareg/olareg/cmd/olareg                  v0.2.2  CGO_ENABLED=0"
  "zot      zot          zotregistry.dev/zot/v2/cmd/zot                       v2.1.20 GOEXPERIMENT=jsonv2"
)

# Debian's registry is taken out of its package, not installed: a benchmark must not leave a service running.
install_debian_registry() {
  [ -x "$clients/bin/docker-registry" ] && return
  say "unpacking docker-registry"
  local stage version
  stage="$(new_stage)"
  as_root apt-get update -qq || return
  (cd "$stage" && apt-get download -qq -o APT::Sandbox::User=root docker-registry) || return
  version="$(dpkg-deb --field "$stage"/*.deb Version)" || return
  dpkg-deb --fsys-tarfile "$stage"/*.deb | tar -x -C "$stage" --strip-components=3 ./usr/bin/docker-registry || return
  rm "$stage"/*.deb
  publish "$stage" docker-registry "$version"
}

install_module() {
  local program="$1" name="$2" module="$3" version="$4" setting="$5" go="$6" stage
  say "building $name $version"
  stage="$(new_stage)"
  env GOBIN="$stage" "$setting" nice -n 19 "$go" install "$module@$version" \
    2> >(grep -v '^go: downloading' >&2) || return
  [ "$program" = "$name" ] || mv "$stage/$program" "$stage/$name"
  publish "$stage" "$name" "$version"
}

install_modules() {
  local entry program name module version setting go=""
  for entry in "${modules[@]}"; do
    read -r program name module version setting <<<"$entry"
    published "$name" "$version" && continue
    [ -n "$go" ] || go="$(find_go)"
    install_module "$program" "$name" "$module" "$version" "$setting" "$go" || say "$name $version cannot be built here"
  done
}

print_table() {
  local name link
  printf '%-16s %s\n' peer version
  for name in docker-registry distribution zot olareg; do
    if link="$(readlink "$clients/bin/$name")"; then
      link="$(dirname "$link")"
      printf '%-16s %s\n' "$name" "${link#"../$name-"}"
    else
      printf '%-16s %s\n' "$name" missing
    fi
  done
}

mkdir -p "$clients"
rm -rf "$clients"/.stage-*
install_packages strace
install_debian_registry || say "docker-registry cannot be unpacked here"
install_modules
print_table
