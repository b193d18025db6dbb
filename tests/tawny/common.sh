# What the tests of tools/tawny share
#
# Copyright 2026 the Tawny authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Each test is run in the build directory, and sources this file. Variables are there for the tests.
# shellcheck shell=sh disable=SC2034

set -u

# Debian's Wine 8 fails to start once in a thousand times, where the kernel's random layout puts the
# heap on an address that Wine needs.
if [ -z "${TAWNY_LAYOUT:-}" ] && setarch --addr-no-randomize true 2>/dev/null; then
    TAWNY_LAYOUT=fixed exec setarch --addr-no-randomize sh "$0" "$@"
fi

suite=tawny-$(basename "$0" .sh)
build=$PWD
tawny=$build/tools/tawny
passed=0
failed=0
# Of what may be set here, only the Wine to test with is wanted.
unset WINEPREFIX WINEARCH WINEDLLPATH WINEDLLOVERRIDES WINESERVER WINELOADER
export WINEDEBUG=-all

work=$(mktemp -d)
chmod 755 "$work"

# Ends what still runs in the prefixes that a test has made.
stop_prefixes()
{
    for directory in "$work"/*/ "$work"/*/*/; do
        [ ! -d "$directory/dosdevices" ] || as_owner "$directory" wineserver_of "$directory" -k
    done
}

# Overridden where there are prefixes of other users.
as_owner()
{
    shift
    "$@"
}

wineserver_of()
{
    server_prefix=${1%/}
    shift
    WINEPREFIX=$server_prefix "${wineserver:-wineserver}" "$@" >/dev/null 2>&1
}

clean_up()
{
    status=$?
    trap '' HUP INT TERM
    stop_prefixes
    cd / && chmod -R u+w "$work" && rm -rf "$work"
    exit "$status"
}

trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# Counts a check that passed if the command given succeeds; prints what that said if not.
check()
{
    what=$1
    shift
    # On a terminal, says what is being done.
    [ ! -t 2 ] || printf '\r\033[K%s' "$what" >&2
    code_of_check=0
    "$@" >"$work/check.log" 2>&1 || code_of_check=$?
    [ ! -t 2 ] || printf '\r\033[K' >&2
    if [ "$code_of_check" = 0 ]; then
        passed=$((passed + 1))
        echo "ok: $what"
    else
        failed=$((failed + 1))
        echo "not ok: $what"
        sed 's/^/    /' "$work/check.log"
    fi
}

# Runs a command; its exit code must be the first argument, and what it prints must match the second.
# What it prints stays in $work/output.
prints()
{
    wanted_code=$1
    wanted_text=$2
    shift 2
    code=0
    "$@" >"$work/output" 2>&1 </dev/null || code=$?
    cat "$work/output"
    echo "exit code $code; wanted are $wanted_code and: $wanted_text"
    [ "$code" = "$wanted_code" ] || return 1
    [ -z "$wanted_text" ] || grep -q -e "$wanted_text" "$work/output"
}

# As prints, for errors: one line, on stderr alone, and a sentence.
refuses()
{
    prints "$@" || return 1
    shift 2
    "$@" 2>/dev/null </dev/null | grep . && return 1
    [ "$(wc -l <"$work/output")" = 1 ] && grep -q '^tawny: .*\.$' "$work/output"
}

# As refuses, and the prefix given first must stay as it is.
refuses_and_keeps()
{
    kept=$1
    shift
    describe "$kept" >"$work/kept"
    refuses "$@" && describe "$kept" | diff "$work/kept" -
}

# Prints all that is in a directory, and of the registry, which Wine writes when it likes, only
# whether it has the service, and the overrides.
describe()
{
    (
        cd "$1" || exit 1
        [ ! -f system.reg ] || grep -o '"PortPool"=\|PortPool\(..Parameters\)\?\]' system.reg | sort
        overrides_in .
        find . -mindepth 1 ! -name '*.reg' -printf '%y %m %p %l\n' | LC_ALL=C sort
        find . -type f ! -name '*.reg' -exec md5sum {} + | LC_ALL=C sort -k 2
    )
}

# Prints the overrides that are saved in a prefix.
overrides_in()
{
    [ ! -f "$1/user.reg" ] ||
        awk '/^\[/ { inside = /^\[Software..Wine..DllOverrides\]/ } inside && /^"/' "$1/user.reg" | sort
}

same_as()
{
    describe "$2" | diff "$1" -
}

# Makes what looks like a prefix, as long as nothing is run in it.
make_look_alike()
{
    mkdir -p "$1/drive_c/windows/system32"
    printf 'WINE REGISTRY Version 2\n\n#arch=win64\n' >"$1/system.reg"
    echo "the original" >"$1/drive_c/windows/system32/ws2_32.dll"
    echo "the original of another" >"$1/drive_c/windows/system32/iphlpapi.dll"
    echo "the original of a third" >"$1/drive_c/windows/system32/mswsock.dll"
    echo "the original program" >"$1/drive_c/windows/system32/netsh.exe"
    echo "another DLL" >"$1/drive_c/windows/system32/other.dll"
    chmod 640 "$1/drive_c/windows/system32/ws2_32.dll"
}

# Prints what portpool.dll enters for its service into the registry.
service_entries()
{
    cat <<'EOF'

[Software\\Microsoft\\Windows NT\\CurrentVersion\\SvcHost] 1795275621
"PortPool"=str(7):"PortPool\0"

[System\\CurrentControlSet\\Services\\PortPool] 1795275621
"ImagePath"=str(2):"%SystemRoot%\\system32\\svchost.exe -k PortPool"

[System\\CurrentControlSet\\Services\\PortPool\\Parameters] 1795275621
"ServiceDll"=str(2):"%SystemRoot%\\system32\\portpool.dll"
EOF
}

# Adds to what looks like a Wine's library DIRECTORY the part for a MACHINE.
add_machine()
{
    mkdir -p "$1/$2-windows" "$1/$2-unix"
    suffix=
    [ "$2" = x86_64 ] || suffix=" for $2"
    for dll in ws2_32 iphlpapi mswsock; do
        echo "Wine's $dll.dll$suffix" >"$1/$2-windows/$dll.dll"
    done
    echo "Wine's netsh.exe$suffix" >"$1/$2-windows/netsh.exe"
    echo "Wine's ws2_32.so$suffix" >"$1/$2-unix/ws2_32.so"
}

# Makes what looks like a Wine, in DIRECTORY/bin and DIRECTORY/LIBRARY; its wine program prints its
# environment and arguments, and knows how to register a service and to import overrides. If there is a
# program called step in PATH, that is run before and after, and may fail.
make_wine_look_alike()
{
    mkdir -p "$1/bin"
    add_machine "$1/$2" x86_64
    service_entries >"$1/entries"
    printf '#!/bin/sh\nexit 1\n' >"$1/bin/wineserver"
    cat >"$1/bin/wine" <<'EOF'
#!/bin/sh
if [ "$1" = --version ]; then
    echo "wine-8.0 (look-alike)"
    exit
fi
if [ "$1" = regsvr32 ]; then
    entries=$(dirname "$(dirname "$0")")/entries
    registry=$WINEPREFIX/system.reg
    echo "$@" >>"$entries.log"
    [ -f "$WINEPREFIX/drive_c/windows/system32/portpool.dll" ] || exit 3
    ! command -v step >/dev/null || step || exit 5
    others=$(awk 'NR == FNR { entries[$0]; next } !($0 in entries)' "$entries" "$registry")
    {
        printf '%s\n' "$others"
        [ "$2" = /u ] || cat "$entries"
    } >"$registry"
    ! command -v step >/dev/null || step || exit 5
    exit 0
fi
if [ "$1 $2" = "reg import" ]; then
    registry=$WINEPREFIX/user.reg
    touch "$registry"
    ! command -v step >/dev/null || step || exit 5
    others=$(awk -F = 'NR == FNR { named[tolower($1)]; next } /^"/ && !(tolower($1) in named)' \
        "$3" "$registry")
    {
        printf '[Software\\\\Wine\\\\DllOverrides] 1795275621\n%s\n' "$others"
        grep '^".*=".*"' "$3"
    } >"$registry"
    ! command -v step >/dev/null || step || exit 5
    exit 0
fi
printf '%s\n' "$WINEPREFIX" "$WINEDLLPATH" "$WINEDLLOVERRIDES" "$@"
exit 42
EOF
    chmod +x "$1/bin/wineserver" "$1/bin/wine"
}

# Makes an installed Tawny of another version, other: its DLLs differ from the build tree's.
make_other_version()
{
    mkdir -p "$work/other/bin" "$work/other/lib/tawny"
    for directory in "$build"/*-windows "$build"/*-unix; do
        cp -R "$directory" "$work/other/lib/tawny/"
        rm -rf "$work/other/lib/tawny/${directory##*/}/obj"
    done
    sed 's/^\(prefix\|exec_prefix\|libdir\)=.*/\1=/; s/^libdir=/&\/lib/' "$tawny" >"$work/other/bin/tawny"
    chmod +x "$work/other/bin/tawny"
    other=$work/other/bin/tawny
    for file in ws2_32.dll portpool.dll netsh.exe; do
        echo "other version" >>"$work/other/lib/tawny/x86_64-windows/$file"
    done
}

# Waits until a wineserver of the prefix runs.
is_running()
{
    for _ in $(seq 100); do
        ! "$tawny" doctor | grep -q "wineserver of the prefix: running" || return 0
        sleep 0.1
    done
    return 1
}

# Puts Tawny's files into library directories of Wine.
link_tawny_into()
{
    for library; do
        link_tawny_into_each "$library"/*-windows "$library"/*-unix
    done
}

link_tawny_into_each()
{
    for directory; do
        [ -d "$directory" ] || continue
        for file in ws2_32.dll iphlpapi.dll mswsock.dll ws2_32.so; do
            [ ! -e "$directory/$file" ] || ln -sf "$file" "$directory/${file%.*}_wine.${file##*.}"
        done
        for file in portpool.dll portpool.so; do
            [ ! -f "$build/${directory##*/}/$file" ] ||
                ln -sf "$build/${directory##*/}/$file" "$directory/$file"
        done
    done
}

# Makes a Wine of links to the files of the one to test with, in a directory of its own; only what
# tells Wine where it is must be copies. Prints its wine program. It has none of Tawny's files.
make_wine_tree()
{
    env WINEPREFIX="$work/none" "$tawny" doctor >"$work/doctor"
    real_bin=$(dirname "$(sed -n 's/^ok     wineserver: //p' "$work/doctor")")
    mkdir -p "$1$real_bin"
    cp "$real_bin"/wineserver* "$1$real_bin/"
    loader=
    for file in wine64 wine wine64-preloader wine-preloader; do
        [ "$(head -c 4 "$real_bin/$file" 2>/dev/null | tail -c 3)" = ELF ] || continue
        cp "$real_bin/$file" "$1$real_bin/"
        loader=${loader:-$file}
    done
    sed -n "s/^ok     Wine's library directory[^:]*: //p" "$work/doctor" | while read -r directory; do
        for directory in "$directory"/*-windows "$directory"/*-unix; do
            [ -d "$directory" ] || continue
            mkdir -p "$1$directory"
            find "$directory" -mindepth 1 ! -name '*_wine.*' ! -name 'portpool.*' \
                -exec ln -s -t "$1$directory" '{}' +
            [ ! -f "$directory/ntdll.so" ] ||
                cp --remove-destination "$directory/ntdll.so" "$1$directory/"
        done
    done
    top=${real_bin%/bin}
    top=${top%/lib/wine}
    ln -s "$top/share" "$1$top/share"
    echo "$1$real_bin/$loader"
}

# Prints the library directories of such a Wine.
libraries_of()
{
    find "$1" -name ntdll.so | sed 's|/[^/]*/[^/]*$||' | sort -u
}

finish()
{
    echo "$suite: $passed passed, $failed failed"
    [ "$failed" = 0 ]
    exit
}
