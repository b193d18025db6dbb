#!/bin/sh
# tools/tawny: which Wine it finds, how it starts that one, and what the doctor says
#
# Copyright 2026 the Tawny authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Nothing is run in these prefixes: look-alikes will do. Functions are called by way of check; what
# is in single quotes is for another shell.
# shellcheck disable=SC2016,SC2317

# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

prefix=$work/prefix
make_look_alike "$prefix"
export WINEPREFIX="$prefix"
tab=$(printf '\t')

# Runs a doctor, who must name this library directory.
finds_library()
{
    wanted_library=$1
    shift
    "$@" >"$work/output" 2>&1 </dev/null
    cat "$work/output"
    grep -qxF "ok     Wine's library directory: $wanted_library" "$work/output"
}

finds_wineserver()
{
    wanted_wineserver=$1
    shift
    "$@" >"$work/output" 2>&1 </dev/null
    cat "$work/output"
    grep -qxF "ok     wineserver: $wanted_wineserver" "$work/output"
}

#
# The Wine of this machine
#

check "doctor finds this machine's Wine" prints 1 "^ok     Wine: version [0-9]" "$tawny" doctor
library=$(sed -n "s/^ok     Wine's library directory: //p" "$work/output")
server=$(sed -n 's/^ok     wineserver: //p' "$work/output")
files="x86_64-windows/ws2_32.dll x86_64-windows/iphlpapi.dll x86_64-windows/mswsock.dll
    x86_64-windows/netsh.exe x86_64-unix/ws2_32.so x86_64-unix/ntdll.so"
for file in $files; do
    check "its library directory holds $file" test -f "$library/$file"
done

# Its parts elsewhere, as if extracted from its packages: the loader, with whatever name it has here.
loader_directory=$(dirname "$server")
tree=$work/extracted
for loader in wine64 wine; do
    file=$loader_directory/$loader
    if [ "$(head -c 4 "$file" 2>/dev/null | tail -c 3)" = ELF ]; then break; fi
done
mkdir -p "$tree$loader_directory" "$tree$library/x86_64-windows" "$tree$library/x86_64-unix"
cp "$loader_directory/$loader" "$tree$loader_directory/"
for file in $files; do
    cp "$library/$file" "$tree$library/$file"
done
printf '#!/bin/sh\nexit 1\n' >"$tree$loader_directory/wineserver"
chmod +x "$tree$loader_directory/wineserver"
WINE=$tree$loader_directory/$loader
export WINE
check "an extracted Wine's library directory is its own" finds_library "$tree$library" "$tawny" doctor
check "and so is its wineserver" finds_wineserver "$tree$loader_directory/wineserver" "$tawny" doctor
mkdir "$work/my bin"
printf '#!/bin/sh\nexec "%s" "$@"\n' "$WINE" >"$work/my bin/start-wine"
chmod +x "$work/my bin/start-wine"
WINE=$work/my\ bin/start-wine
check "also by way of a script elsewhere" finds_library "$tree$library" "$tawny" doctor
check "also the wineserver" finds_wineserver "$tree$loader_directory/wineserver" "$tawny" doctor
ln -s start-wine "$work/my bin/link"
WINE=$work/my\ bin/link
check "also by way of a link to that script" finds_library "$tree$library" "$tawny" doctor
# Before PATH, where there may be the wineserver of another Wine, Wine looks there.
mv "$tree$loader_directory/wineserver" "$work/wineserver"
check "without one beside it, the wineserver is that of the variable WINESERVER" \
    finds_wineserver "$work/wineserver" env WINESERVER="$work/wineserver" "$tawny" doctor
check "Wine that lacks a file" refuses_and_keeps "$prefix" 1 "lacks .*ws2_32.so; install" \
    sh -c 'rm "$1" && "$2" doctor >/dev/null; "$2" setup' sh "$tree$library/x86_64-unix/ws2_32.so" "$tawny"
echo "not a library" >"$tree$library/x86_64-unix/ntdll.so"
check "Wine that cannot start" prints 1 "does not work as Wine does (wine: could not load ntdll.so" \
    "$tawny" doctor
check "nothing is set up with it" refuses_and_keeps "$prefix" 1 "does not work as Wine does" \
    "$tawny" setup

#
# Wines that the dynamic linker does not trace: look-alikes
#

for layout in lib/wine lib64/wine lib/x86_64-linux-gnu/wine; do
    make_wine_look_alike "$work/$layout wine" "$layout"
    WINE=$work/$layout\ wine/bin/wine
    check "a library directory in $layout is found" \
        finds_library "$work/$layout wine/$layout" "$tawny" doctor
done
check "with the wineserver beside the program" \
    finds_wineserver "$work/$layout wine/bin/wineserver" "$tawny" doctor
check "a Wine in a directory with a space in its name will do" prints 0 "^Put" "$tawny" setup

wine=$work/own/bin/wine
make_wine_look_alike "$work/own" lib/wine
WINE=$wine
"$tawny" setup >/dev/null

# Runs a program with the look-alike, which prints what it gets.
passes_on()
{
    prints 42 "" "$tawny" run "$@" || return 1
    sed -n '4,$p' "$work/output" >"$work/arguments"
    [ "$1" != -- ] || shift
    printf '%s\n' "$@" | diff "$work/arguments" -
}

check "run passes on arguments and the exit code" passes_on program.exe "two words" "" '$HOME' --help \
    "a\\b" "*"
check "also after --" passes_on -- program.exe -x
check "run passes on the prefix" [ "$(sed -n 1p "$work/output")" = "$prefix" ]
check "run sets WINEDLLPATH" [ "$(sed -n 2p "$work/output")" = "$prefix/tawny:$build" ]
check "run sets WINEDLLOVERRIDES" [ "$(sed -n 3p "$work/output")" = "ws2_32,iphlpapi,mswsock,netsh.exe=n,b" ]
WINEDLLPATH=/my/dlls WINEDLLOVERRIDES="mscoree=" "$tawny" run program.exe >"$work/output"
check "and keeps what is in WINEDLLPATH" \
    [ "$(sed -n 2p "$work/output")" = "$prefix/tawny:$build:/my/dlls" ]
check "and in WINEDLLOVERRIDES" [ "$(sed -n 3p "$work/output")" = "ws2_32,iphlpapi,mswsock,netsh.exe=n,b;mscoree=" ]
for name in reserve.exe reserve; do
    "$tawny" run "$name" >"$work/output"
    check "run $name means Tawny's" \
        [ "$(sed -n 4p "$work/output")" = "$build/x86_64-windows/reserve.exe" ]
done
mkdir "$work/here"
: >"$work/here/reserve.exe"
(cd "$work/here" && "$tawny" run reserve.exe >"$work/output")
check "but for a file of that name" [ "$(sed -n 4p "$work/output")" = reserve.exe ]

#
# Wines for 32-bit programs, too
#

# A setup must put in, for i386, these and no other files.
puts_in_i386()
{
    "$tawny" remove >/dev/null
    "$tawny" setup || return 1
    for wanted; do
        echo "$wanted"
    done | sort >"$work/wanted"
    cut -s -f 1,3 "$WINEPREFIX/tawny/manifest" | tr '\t' ' ' | grep -e i386 -e syswow64 | sort | diff "$work/wanted" -
}

files=$(for file in netsh.exe portpool.dll ws2_32.dll iphlpapi.dll mswsock.dll \
    ws2_32_wine.dll iphlpapi_wine.dll mswsock_wine.dll \
    tawny/ws2_32.dll tawny/iphlpapi.dll tawny/mswsock.dll; do
    echo "file drive_c/windows/syswow64/$file"
done)
links=$(for dll in ws2_32 iphlpapi mswsock; do echo "link tawny/i386-windows/${dll}_wine.dll"; done)
# Names without spaces, but for the one behind the kind.
IFS='
'
add_machine "$work/own/lib/wine" i386
check "nothing for 32-bit programs where the prefix has no place for it" puts_in_i386
mkdir "$prefix/drive_c/windows/syswow64"
# shellcheck disable=SC2086
{
    check "what 32-bit programs need" puts_in_i386 $files $links "link tawny/i386-unix/ws2_32_wine.so"
    rm -r "$work/own/lib/wine/i386-unix"
    check "what they need where Wine's Unix side is of 64 bits only" puts_in_i386 $files $links
}
unset IFS
check "is Tawny's" cmp "$build/i386-windows/ws2_32.dll" "$prefix/drive_c/windows/syswow64/ws2_32.dll"
check "and leads to Wine's" \
    [ "$(readlink "$prefix/tawny/i386-windows/ws2_32_wine.dll")" = "$work/own/lib/wine/i386-windows/ws2_32.dll" ]
check "remove takes it out again" prints 0 "^Took" "$tawny" remove
check "all of it" [ -z "$(ls "$prefix/drive_c/windows/syswow64")" ]

# As on Debian: a wine for 32-bit programs, and beside it a wine64, each with a library of its own.
make_wine_look_alike "$work/two" 64/wine
add_machine "$work/two/32/wine" i386
cp "$work/two/bin/wine" "$work/two/bin/wine64"
for bits in 64 32; do
    program=$work/two/bin/wine
    machine=i386
    if [ $bits = 64 ]; then
        program=$work/two/bin/wine64
        machine=x86_64
    fi
    : >"$work/two/$bits/wine/$machine-unix/ntdll.so"
    sed -i -e "2i echo '1:${tab}file=$work/two/$bits/wine/$machine-unix/ntdll.so [0];  generating link map'" \
        -e "2i echo '1:${tab}initialize program: $program'" "$program"
done
for name in wine wine64; do
    WINE=$work/two/bin/$name
    check "the 64-bit library of two, by way of $name" finds_library "$work/two/64/wine" "$tawny" doctor
    check "the 32-bit library of two, by way of $name" grep -qxF \
        "ok     Wine's library directory for 32-bit programs: $work/two/32/wine" "$work/output"
    check "setup with both, by way of $name" prints 0 "^Put" "$tawny" setup
    for library in 64/wine/x86_64 32/wine/i386; do
        check "leads to what is in ${library%%/*}/wine" \
            [ "$(readlink "$prefix/tawny/${library##*/}-windows/ws2_32_wine.dll")" = "$work/two/$library-windows/ws2_32.dll" ]
    done
    check "by way of $name, and takes it out" prints 0 "^Took" "$tawny" remove
done

# A 32-bit prefix.
WINE=$work/two/bin/wine
make_look_alike "$work/small"
sed -i s/win64/win32/ "$work/small/system.reg"
export WINEPREFIX="$work/small"
check "setup of a 32-bit prefix" prints 0 "^Put" "$tawny" setup
check "puts in Tawny's 32-bit DLLs" cmp "$build/i386-windows/ws2_32.dll" \
    "$WINEPREFIX/drive_c/windows/system32/ws2_32.dll"
check "and nothing else" [ -z "$(grep x86_64 "$WINEPREFIX/tawny/manifest")" ]
check "run reserve.exe means the 32-bit one there" prints 42 "^$build/i386-windows/reserve.exe$" \
    "$tawny" run reserve.exe
check "it can be removed" prints 0 "^Took" "$tawny" remove
check "and has back what it had" grep -qx "the original" "$WINEPREFIX/drive_c/windows/system32/ws2_32.dll"

export WINEPREFIX="$prefix"
WINE=$wine
check "setup of a prefix for both again" prints 0 "^Put" "$tawny" setup
check "with its 32-bit part" [ -n "$(grep i386 "$prefix/tawny/manifest")" ]
rm -r "$work/own/lib/wine/i386-windows"
check "with a Wine that has none any more, run asks for a setup" refuses 1 "not up to date" \
    "$tawny" run reserve.exe
check "setup" prints 0 "^Put" "$tawny" setup
check "says no more of it" [ "$(wc -l <"$work/output")" = 1 ]
check "and leaves nothing of it" [ -z "$(find "$prefix" -path '*i386*' -o -path '*syswow64/*')" ]
rm -r "$prefix/drive_c/windows/syswow64"

#
# Wines that will not do
#

WINE=$work/none
check "WINE names nothing" refuses_and_keeps "$prefix" 1 "is no program" "$tawny" setup
check "doctor says so" prints 1 "^wrong  Wine: WINE is $work/none, which is no program" "$tawny" doctor
check "run says so" refuses 1 "is no program" "$tawny" run reserve.exe
WINE=$work
check "WINE names a directory" refuses_and_keeps "$prefix" 1 "is no program" "$tawny" setup
WINE=/bin/true
check "WINE names another program" refuses_and_keeps "$prefix" 1 "does not work as Wine does" \
    "$tawny" setup
WINE=$wine
sed -i s/wine-8.0/wine-7.22/ "$wine"
for command in setup "setup --no-always" "run reserve.exe"; do
    # The command may have arguments.
    # shellcheck disable=SC2086
    check "$command with a Wine that is too old" refuses_and_keeps "$prefix" 1 "Wine 7.22 is too old" \
        "$tawny" $command
done
check "doctor says so" prints 1 "^wrong  Wine: Wine 7.22 is too old" "$tawny" doctor
sed -i s/wine-7.22/wine-10.0-rc1/ "$wine"
check "a two-digit version is not" prints 0 "up to date" "$tawny" doctor
mv "$work/own/lib/wine" "$work/own/lib/other"
check "a Wine without library directory" refuses_and_keeps "$prefix" 1 "cannot be found" "$tawny" setup
mv "$work/own/lib/other" "$work/own/lib/wine"
sed -i "2i echo '1:${tab}file=$work/i386-unix/ntdll.so [0];  generating link map'" "$wine"
check "a Wine for 32 bits only" refuses_and_keeps "$prefix" 1 "is a 32-bit Wine" "$tawny" setup

# Every program that there is, but no Wine.
mkdir "$work/tools"
find /bin/ /usr/bin/ -maxdepth 1 ! -type d ! -name '*wine*' -exec ln -sf -t "$work/tools" '{}' +
without_wine()
{
    env -u WINE PATH="$work/tools" "$@"
}

for command in setup "setup --always" "run reserve.exe"; do
    # The command may have arguments.
    # shellcheck disable=SC2086
    check "$command without any Wine" refuses_and_keeps "$prefix" 1 "install the Debian packages wine and wine64" \
        without_wine "$tawny" $command
done
check "doctor says so" prints 1 "^wrong  Wine: there is no Wine" without_wine "$tawny" doctor
check "Tawny can be removed all the same" prints 0 "^Took" without_wine "$tawny" remove
check "which says that the service is left" grep -q "^Left the service PortPool registered" "$work/output"
WINE=$work/second/bin/wine
make_wine_look_alike "$work/second" lib/wine
rm "$work/second/bin/wineserver"
check "a Wine without wineserver" refuses_and_keeps "$prefix" 1 "there is no wineserver" \
    env PATH="$work/tools" "$tawny" setup
make_wine_look_alike "$work/second" lib/wine
check "setup" prints 0 "^Put" "$tawny" setup

#
# Other things that the doctor looks at
#

printf '#!/bin/sh\necho 5.6.19-test\n' >"$work/here/uname"
chmod +x "$work/here/uname"
PATH=$work/here:$PATH
check "doctor does not like an old kernel" prints 1 "^wrong  kernel: 5.6.19-test" "$tawny" doctor
for release in 5.7.0 5.10 6.1.0-9-amd64 10.0; do
    printf '#!/bin/sh\necho %s\n' "$release" >"$work/here/uname"
    check "but likes $release" prints 0 "^ok     kernel: $release" "$tawny" doctor
done

# What the doctor tries on the host, for whoever asks.
check "doctor has held ports of both protocols" prints 0 "^ok     TCP ports: can be reserved by $(id -un)$" \
    "$tawny" doctor
check "that is" grep -q "^ok     UDP ports: can be reserved by $(id -un)$" "$work/output"
check "and looked at IPv6" grep -q "^ok     IPv6: " "$work/output"
check "and at ports below 1024" grep -q "^ok     ports below " "$work/output"
# A network of their own, and for an ordinary user a number, are what tests may change.
in_network()
{
    if [ "$(id -u)" = 0 ]; then
        unshare --net sh -c "$1"' && shift && exec "$@"' sh "$@"
    else
        unshare --user --map-root-user --net sh -c "$1"' && shift && exec "$@"' sh "$@"
    fi
}

probe=$build/x86_64-unix/probe
portpool=$build/x86_64-unix/portpool.so
if in_network : true 2>/dev/null; then
    check "where no interface has an address, there is none of IPv6" \
        prints 0 "^ipv6 without" in_network : "$probe" "$portpool"
    check "where one has, there is" prints 0 "^ipv6 there" \
        in_network 'ip link set lo up' "$probe" "$portpool"
    # As root of the network, or as nobody there.
    ordinary="setpriv --bounding-set=-all --inh-caps=-all --ambient-caps=-all"
    [ "$(id -u)" != 0 ] || ordinary="$ordinary --reuid=65534 --regid=65534 --clear-groups"
    # shellcheck disable=SC2086
    {
        check "an ordinary user may not bind a low port" prints 0 "^low refused" \
            in_network : $ordinary "$probe" "$portpool"
        check "where the host allows it, he may" prints 0 "^low allowed" \
            in_network 'echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start' $ordinary "$probe" "$portpool"
    }
else
    echo "No network namespace to be had: what depends on the network is not tested."
fi
check "a library that cannot be loaded" prints 1 "^library refused .*cannot open" "$probe" "$work/none.so"
check "the probe without its argument" prints 2 "^usage: probe" "$probe"

# What it may find elsewhere, said by another in its place.
make_other_version
"$other" setup >/dev/null
tell()
{
    printf '#!/bin/sh\ncat <<END\n%s\nEND\n' "$1" >"$work/other/lib/tawny/x86_64-unix/probe"
}

while IFS='|' read -r told wanted; do
    tell "$told"
    code=0
    [ "${wanted%% *}" = ok ] || code=1
    check "where $told, doctor says so" prints "$code" "^$wanted" "$other" doctor
done <<'EOF'
library refused no such version|wrong  portpool.so: cannot be loaded on this host (no such version); install
tcp refused|wrong  TCP ports: cannot be reserved, .* look for a sandbox
udp refused|wrong  UDP ports: cannot be reserved, .*SO_BINDTOIFINDEX.* use Linux 5.7 or newer
udp busy|wrong  UDP ports: cannot be tried
low allowed|ok     ports below 1024: can be reserved like all others
low refused|ok     ports below [0-9]*: count as held
ipv6 absent|ok     IPv6: not there; a reservation covers IPv4 alone
nothing|wrong  portpool.so: what it can do on this host cannot be tried
EOF
"$tawny" setup >/dev/null

check "doctor does not like a low limit of open files" prints 1 "^wrong  open files: at most 512 in" \
    sh -c 'ulimit -n 512 && "$1" doctor' sh "$tawny"
mkdir "$prefix/.tawny-undo"
check "doctor sees an unfinished change" prints 1 "^wrong  .* not finished; run tawny setup" \
    "$tawny" doctor
printf '#!/bin/sh\nexit 0\n' >"$work/second/bin/wineserver"
check "doctor says whether a wineserver is running" prints 1 "^ok     wineserver of the prefix: running" \
    "$tawny" doctor
finish
