#!/usr/bin/env bash
# Installs the registries that `make bench` measures Moorage against, each at a pinned version, and what measuring needs.
#
#   tools/peers.sh              into ${MOORAGE_CLIENTS:-~/.cache/moorage/clients}; safe to repeat, quick when all is there
#
# A peer that cannot be had is said to be missing, here and in the benchmark's table; the others are measured all the same.
set -euo pipefail

# shellcheck source=tools/installing.sh
source "$(dirname "$0")/installing.sh"

# program, the name it is installed under, module, version
readonly modules=(
  "registry distribution github.com/distribution/distribution/v3/cmd/registry v3.1.2"
  "olareg   olareg       github.com/olareg/olareg/cmd/olareg                  v0.2.2"
  "zot      zot          zotregistry.dev/zot/v2/cmd/zot                       v2.1.20"
)

# Debian's registry is taken out of its package, not installed: a benchmark must not leave a service running.
install_debian_registry() {
  [ -x "$clients/bin/docker-registry" ] && return
  say "unpacking docker-registry"
  local stage version
  stage="$(new_stage)"
  (cd "$stage" && as_root apt-get update -qq && apt-get download -qq docker-registry)
  version="$(dpkg-deb --field "$stage"/*.deb Version)"
  dpkg-deb --fsys-tarfile "$stage"/*.deb | tar -x -C "$stage" --strip-components=3 ./usr/bin/docker-registry
  rm "$stage"/*.deb
  publish "$stage" docker-registry "$version"
}

# Without build tags zot leaves its extensions out; its JSON code needs the experiment.
install_module() {
  local program="$1" name="$2" module="$3" version="$4" go="$5" stage
  say "building $name $version"
  stage="$(new_stage)"
  GOBIN="$stage" CGO_ENABLED=0 GOEXPERIMENT=jsonv2 nice -n 19 "$go" install "$module@$version" \
    2> >(grep -v '^go: downloading' >&2) || { rm -rf "$stage"; return 1; }
  [ "$program" = "$name" ] || mv "$stage/$program" "$stage/$name"
  publish "$stage" "$name" "$version"
}

install_modules() {
  local entry program name module version go=""
  for entry in "${modules[@]}"; do
    read -r program name module version <<<"$entry"
    published "$name" "$version" && continue
    [ -n "$go" ] || go="$(find_go)"
    install_module "$program" "$name" "$module" "$version" "$go" || say "$name $version cannot be built here"
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
