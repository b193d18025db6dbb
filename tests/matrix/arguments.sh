#!/bin/sh
# tools/matrix: wrong arguments, machines and build directories that will not do
#
# Copyright 2026 the Tawny authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Nothing here gets as far as making a root file system. Functions are called by way of check; what is
# in single quotes is for another shell.
# shellcheck disable=SC2016,SC2317

# shellcheck source=tests/tawny/common.sh
. "$(dirname "$0")/../tawny/common.sh"

suite="matrix"
matrix=$(cd "$(dirname "$0")/../.." && pwd)/tools/matrix
temporary=$work/temporary
mkdir "$temporary"
export TMPDIR="$temporary"
unset TAWNY_CACHE TAWNY_MATRIX

# As prints, for errors: one line, on stderr alone, and a sentence; and nothing is left.
complains()
{
    prints "$@" || return 1
    shift 2
    "$@" 2>/dev/null </dev/null | grep . && return 1
    [ "$(wc -l <"$work/output")" = 1 ] && grep -q '^matrix: .*\.$' "$work/output" &&
        [ -z "$(ls -A "$temporary")" ]
}

check "--help" prints 0 "^Usage: tools/matrix" "$matrix" --help
for kind in 64 32 wow64 win32 mixed package; do
    check "--help tells of $kind" grep -q "^  $kind " "$work/output"
done
check "an unknown option" complains 2 "no option --fly" "$matrix" --fly
check "an unknown release" complains 2 "no release bullseye .*bookworm trixie" "$matrix" bullseye
check "an unknown release after a known one" complains 2 "no release sid" "$matrix" trixie sid
check "an unknown kind" complains 2 "no kind 16 .*64 32 wow64 win32 mixed" "$matrix" bookworm-16
check "a kind that needs an option" complains 2 "no kind package" "$matrix" bookworm-package
check "two releases in one word" complains 2 "no release" "$matrix" "bookworm trixie"
check "no kind" complains 2 "bookworm- names no kind" "$matrix" bookworm-
check "an empty release" complains 2 "no release" "$matrix" ""
for option in --build --jobs --logs --mirror --package; do
    check "$option without argument" complains 2 "^matrix: $option needs an argument" "$matrix" $option
    check "$option with an empty one" complains 2 "^matrix: $option needs an argument" "$matrix" $option ""
done
for number in 0 -1 two 1.5 1000; do
    check "--jobs $number" complains 2 "needs a number from 1 to 999, not $number" "$matrix" --jobs "$number"
done

# Who may not, and where something is missing.
user=
[ "$(id -u)" != 0 ] || user="setpriv --reuid=65534 --regid=65534 --clear-groups"
# shellcheck disable=SC2086
check "an ordinary user" complains 1 "only root can" $user "$matrix" bookworm

# Somebody who is root in a namespace only gets further.
as_root()
{
    if [ "$(id -u)" = 0 ]; then
        env "$@"
    else
        unshare --user --map-root-user env "$@"
    fi
}

check "a build directory that does not exist" complains 1 "is no build directory" \
    as_root "$matrix" --build "$work/nothing"
check "a directory that is none" complains 1 "$temporary is no build directory" \
    as_root "$matrix" --build "$temporary"
mkdir "$work/unbuilt"
echo 'check-programs:; touch made' >"$work/unbuilt/Makefile"
check "a build directory without tests" complains 1 "run make -C $work/unbuilt check-programs" \
    as_root "$matrix" --build "$work/unbuilt"
check "nothing is built" [ ! -e "$work/unbuilt/made" ]

# A machine that has whatever is needed, but debootstrap fails.
mkdir "$work/bin" "$work/few"
say_that()
{
    printf '#!/bin/sh\n%s\n' "$2" >"$work/bin/$1"
    chmod +x "$work/bin/$1"
}

say_that debootstrap 'echo "this is debootstrap $*"; exit 3'
say_that zstd 'exit 1'
say_that dpkg 'echo amd64'
say_that df 'echo head; echo "/dev/root 999999999 1 999999998 1% /"'
PATH=$work/bin:$PATH
mkdir -p "$work/mirror/dists/bookworm"
echo "Codename: bookworm" >"$work/mirror/dists/bookworm/InRelease"
run_matrix()
{
    run_matrix_in "$temporary" "$@"
}

run_matrix_with()
{
    with=$1
    shift
    as_root TAWNY_CACHE="$with" "$matrix" --build "$build" --mirror "file:$work/mirror" "$@"
}

run_matrix_in()
{
    directory=$1
    shift
    as_root TMPDIR="$directory" "$matrix" --build "$build" --mirror "file:$work/mirror" "$@"
}

for tool in debootstrap zstd unshare pivot_root ip; do
    find "$work/bin/" /bin/ /usr/bin/ /sbin/ /usr/sbin/ -maxdepth 1 ! -type d ! -name "$tool" \
        -exec ln -sf -t "$work/few" '{}' +
    check "no $tool" complains 1 "$tool is not in PATH; install it with tools/prepare" \
        as_root PATH="$work/few" "$matrix" --build "$build"
    rm -r "$work/few"
    mkdir "$work/few"
done
say_that dpkg 'echo arm64'
check "another architecture" complains 1 "needs a Debian for amd64" run_matrix bookworm
say_that dpkg 'echo amd64'
say_that df 'echo head; echo "/dev/root 999999999 1 19999999 99% /"'
check "too little space" complains 1 "has 19 GB free, and the matrix needs" run_matrix bookworm
say_that df 'echo head; echo "/dev/root 999999999 1 999999998 1% /"'
check "no directory for it" complains 1 "set TMPDIR to another" run_matrix_in "$work/nothing" bookworm
: >"$work/file"
check "logs cannot be left in a file" complains 1 "logs cannot be left in $work/file" \
    run_matrix --logs "$work/file" bookworm
check "a package that is none" complains 1 "$work/file is no Debian package" \
    run_matrix --package "$work/file" bookworm
check "a cache cannot be a file" complains 1 "TAWNY_CACHE is $work/file" \
    run_matrix_with "$work/file" bookworm
check "a mirror without the release" complains 1 "trixie cannot be had from the mirror file:" \
    run_matrix trixie
check "a mirror that is not there" complains 1 "check the network" \
    as_root "$matrix" --build "$build" --mirror http://127.0.0.1:9/debian bookworm

#
# What is left, and what is said, where it begins and fails
#

nothing_is_left()
{
    ls -A "$temporary"
    [ -z "$(ls -A "$temporary")" ]
}

check "debootstrap fails" prints 1 "^bookworm: this is debootstrap --variant=minbase bookworm .* file:" \
    run_matrix --jobs 1 --logs "$work/logs" bookworm-64 bookworm-win32
check "the log is left" grep -q "this is debootstrap" "$work/logs/bookworm.log"
check "each row has failed" \
    [ "$(grep -c '^bookworm  *-  .* 0  *1$' "$work/output")" = 2 ]
check "the last line says so" [ "$(tail -n 1 "$work/output")" = "0 passed, 2 failed" ]
check "nothing else is left" nothing_is_left
no_carriage_return()
{
    ! grep -n "$(printf '\r')" "$work/output"
}

check "nor is there progress to be seen where there is no terminal" no_carriage_return

cache=$work/cache
check "a cache is made" prints 1 "^0 passed, 1 failed" run_matrix_with "$cache" bookworm-64
check "in which nothing is left of what could not be made" [ -z "$(ls -A "$cache")" ]

# What is in the cache is named after the mirror and the script that made it.
recipe=$({ echo "file:$work/mirror" && cat "${matrix%/*}/../tests/matrix/root"; } |
    sha256sum | cut -c 1-12)
echo "no root file system" >"$cache/root-bookworm-$recipe-0123456789ab.tar.zst"
echo "another" >"$cache/root-trixie-$recipe-0123456789ab.tar.zst"
mv "$work/mirror" "$work/away"
check "without network the cache will do" prints 1 "using the root file system in the cache" \
    run_matrix_with "$cache" bookworm-64
check "if it is damaged, debootstrap is called" grep -q "this is debootstrap" "$work/output"
check "and the damaged file is gone" [ "$(ls "$cache")" = "root-trixie-$recipe-0123456789ab.tar.zst" ]
check "without network, and with another release in the cache" complains 1 "check the network" \
    run_matrix_with "$cache" bookworm-64
mv "$work/away" "$work/mirror"

# The sleeper's argument tells it from others; the pattern is none itself.
nap=$(($$ + 100000))
say_that debootstrap "sleep ${nap}0"
sleeps()
{
    grep -qzx "${nap}[0]" /proc/[0-9]*/cmdline 2>/dev/null
}

wait_until()
{
    for _ in $(seq 300); do
        ! "$@" || return 0
        sleep 0.1
    done
    return 1
}

starts_and_stops()
{
    as_root TMPDIR="$temporary" sh -c 'echo $$ >"$1" && shift && exec "$@"' sh "$work/pid" \
        "$matrix" --build "$build" --mirror "file:$work/mirror" bookworm-64 >"$work/output" 2>&1 &
    wait_until sleeps || return 1
    kill -s "$1" "$(cat "$work/pid")"
    code=0
    wait $! || code=$?
    cat "$work/output"
    echo "exit code $code"
}

no_longer_sleeps()
{
    ! sleeps
}

# A shell in the background does not hear SIGINT.
for signal in TERM:143 HUP:129; do
    check "it is interrupted (${signal%:*})" starts_and_stops "${signal%:*}"
    check "the exit code says so" [ "$code" = "${signal#*:}" ]
    check "what it had started ends" wait_until no_longer_sleeps
    check "nothing is left" nothing_is_left
done
check "it is killed" starts_and_stops KILL
check "what it had started ends" wait_until no_longer_sleeps
as_root rm -r "$temporary"
finish
