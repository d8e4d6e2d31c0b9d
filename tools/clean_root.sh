#!/bin/bash
# A clean Debian root for trying what a new user does: a minimal system with git, make and a shell.
#
#   tools/clean_root.sh make SUITE DIR [PACKAGE…]   bookworm or trixie; more than git and make
#   tools/clean_root.sh run DIR COMMAND…            in it, as root, with a clean environment
#   tools/clean_root.sh remove DIR
#
# Of this machine the root gets the settings of its package clients and nothing else: apt's sources
# and options, certificate authorities, the settings of Maven, npm and pip, and the proxy variables.
# `run` lives in a mount and a process namespace of its own, so that whatever happens to it no mount
# and no process stays behind. Fetched packages are kept in the cache ($XDG_CACHE_HOME/walferry, for
# root /var/cache/walferry) and used again.
#
# Exit code 75: a root cannot be made here, the reason stands in the output.
set -euo pipefail

cannot() {
    echo "clean_root: $*" >&2
    exit 75
}

cache=${XDG_CACHE_HOME:-/var/cache}/walferry

# "URI RELEASE" of each of this machine's sources that is Debian's own.
own_sources() {
    apt-get indextargets --format "\$(REPO_URI) \$(RELEASE) \$(ORIGIN)" 'Created-By: Packages' |
        awk '$3 == "Debian" { print $1, $2 }' | sort -u
}

write_sources() {
    local suite=$1 here=$2
    own_sources | while read -r uri release; do
        case $release in
            "$here" | "$here"-updates | "$here"-security)
                echo "deb $uri ${release/#$here/$suite} main"
                ;;
        esac
    done
}

copy_settings() {
    local dir=$1 file
    for file in /etc/apt/apt.conf /etc/apt/apt.conf.d/* /etc/apt/auth.conf{,.d/*}; do
        if [ -f "$file" ] && { [[ $file == */auth.conf* ]] || grep -q '^ *Acquire' "$file"; }; then
            install -D -m 644 "$file" "$dir$file"
        fi
    done
    # What /etc/apt holds for images of containers throws packages away; here they are kept.
    rm -f "$dir/etc/apt/apt.conf.d/docker-clean"
    for file in /usr/local/share/ca-certificates/*.crt; do
        if [ -f "$file" ]; then
            install -D -m 644 "$file" "$dir$file"
        fi
    done
    for file in .m2/settings.xml .npmrc .config/pip/pip.conf; do
        if [ -f "${HOME:-/root}/$file" ]; then
            install -D -m 600 "${HOME:-/root}/$file" "$dir/root/$file"
        fi
    done
    for file in /etc/maven/settings.xml /etc/pip.conf /etc/npmrc /etc/resolv.conf /etc/hosts \
        /etc/apt/trusted.gpg.d/* /etc/apt/keyrings/*; do
        if [ -f "$file" ]; then
            install -D -m 644 "$file" "$dir$file"
        fi
    done
}

make_root() {
    local suite=$1 dir=$2 here mirror
    shift 2
    [ "$(id -u)" -eq 0 ] || cannot "only root can make one"
    command -v debootstrap >/dev/null || cannot "debootstrap is not installed"
    # shellcheck disable=SC1091
    here=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    mirror=$(own_sources | awk -v here="$here" '$2 == here { print $1; exit }')
    [ -n "$mirror" ] || cannot "apt has no source of Debian $here"
    [ ! -e "$dir" ] || cannot "$dir exists already"
    mkdir -p "$dir" "$cache/debs-$suite"
    if ! unshare --mount true 2>/dev/null; then
        cannot "no mount namespace can be made"
    fi
    local include=git,make,ca-certificates
    for package in "$@"; do
        include=$include,$package
    done
    # debootstrap takes the cache for its own: two at once would spoil each other's downloads.
    local debs
    debs=$(mktemp -d "$cache/debs-$suite.XXXXXX")
    find "$cache/debs-$suite" -maxdepth 1 -name '*.deb' -exec cp -l -t "$debs" {} +
    # Its own mount of /proc goes with the namespace, too.
    if ! unshare --mount --pid --fork --kill-child debootstrap --variant=minbase \
        --include="$include" --cache-dir="$debs" \
        "$suite" "$dir" "$mirror" >"$dir.log" 2>&1; then
        tail -n 5 "$dir.log" >&2
        rm -rf --one-file-system "$dir" "$debs"
        cannot "debootstrap failed for $suite"
    fi
    find "$debs" -name '*.deb' -links 1 -exec mv -t "$cache/debs-$suite" {} +
    rm -rf "$debs" "$dir.log"
    write_sources "$suite" "$here" >"$dir/etc/apt/sources.list"
    copy_settings "$dir"
    chroot "$dir" update-ca-certificates >/dev/null 2>&1
    run_in "$dir" true || cannot "nothing can be run in $dir"
}

run_in() {
    local dir=$1 name
    shift
    local keep=()
    for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY CI \
        npm_config_registry NPM_CONFIG_REGISTRY; do
        if [ -n "${!name:-}" ]; then
            keep+=("$name=${!name}")
        fi
    done
    # shellcheck disable=SC1091
    suite=$(. "$dir/etc/os-release" && echo "$VERSION_CODENAME")
    mkdir -p "$cache/debs-$suite/partial" "$cache/walferry-$suite" "$dir/var/cache/walferry"
    # The inner shell stays, as the process that reaps what others leave behind.
    # shellcheck disable=SC2016
    unshare --mount --pid --fork --kill-child bash -euc '
        dir=$1 debs=$2 jars=$3
        shift 3
        mount --make-rprivate /
        mount -t proc proc "$dir/proc"
        mount -t sysfs -o ro sysfs "$dir/sys" 2>/dev/null || true
        mount -t tmpfs -o mode=755 dev "$dir/dev"
        for node in null zero full random urandom tty; do
            touch "$dir/dev/$node"
            mount --bind "/dev/$node" "$dir/dev/$node"
        done
        ln -s /proc/self/fd "$dir/dev/fd"
        ln -s fd/0 "$dir/dev/stdin"
        ln -s fd/1 "$dir/dev/stdout"
        ln -s fd/2 "$dir/dev/stderr"
        mkdir "$dir/dev/shm" "$dir/dev/pts"
        mount -t tmpfs -o mode=1777 shm "$dir/dev/shm"
        mount -t devpts -o newinstance,ptmxmode=0666 devpts "$dir/dev/pts"
        ln -s pts/ptmx "$dir/dev/ptmx"
        mount --bind "$debs" "$dir/var/cache/apt/archives"
        mount --bind "$jars" "$dir/var/cache/walferry"
        code=0
        chroot "$dir" "$@" || code=$?
        exit "$code"
    ' clean_root "$dir" "$cache/debs-$suite" "$cache/walferry-$suite" \
        /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb LANG=C.UTF-8 \
        "${keep[@]}" "$@"
}

case ${1:-} in
    make)
        [ $# -ge 3 ] || cannot "usage: clean_root.sh make SUITE DIR [PACKAGE…]"
        make_root "${@:2}"
        ;;
    run)
        [ $# -ge 3 ] || cannot "usage: clean_root.sh run DIR COMMAND…"
        run_in "${@:2}"
        ;;
    remove)
        [ -f "${2:-}/etc/debian_version" ] || cannot "${2:-} is no root"
        rm -rf --one-file-system "$2"
        ;;
    *) cannot "usage: clean_root.sh make|run|remove …" ;;
esac
