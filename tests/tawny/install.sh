#!/bin/sh
# tools/tawny: with a real Wine; from the build tree and installed; also as an ordinary user
#
# Copyright 2026 the Tawny authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Functions are called by way of check; what is in single quotes is for another shell.
# shellcheck disable=SC2016,SC2317

# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

wine=${WINE:-wine}
program=$build/x86_64-windows/reserve.exe

#
# A prefix that there was before, from the build tree
#

prefix=$work/prefix
export WINEPREFIX="$prefix"
check "plain Wine makes a prefix" "$wine" wineboot -i
wineserver=$("$tawny" doctor | sed -n 's/^ok     wineserver: //p')
"$wineserver" -w
describe "$prefix" >"$work/before"

check "setup" prints 0 "^Put" "$tawny" setup
check "doctor finds nothing wrong" prints 0 "^ok     Tawny in the prefix: up to date" "$tawny" doctor
check "also with the service" grep -q "^ok     service PortPool: registered; it starts" "$work/output"
check "run runs a program that reserves ports" prints 0 "^SIO_RELEASE_PORT_RESERVATION succeeded" \
    "$tawny" run reserve.exe inet tcp 0 10
check "plain Wine, on the same prefix, knows of no reservations" \
    prints 1 "SIO_ACQUIRE_PORT_RESERVATION failed with error 10045" \
    "$wine" "$program" inet tcp 0 10
check "the exit code is the program's" prints 7 "" "$tawny" run cmd /c exit 7
check "an argument with spaces stays one" prints 2 "reserve: two  words is not an address family" \
    "$tawny" run reserve.exe "two  words" tcp 0 10
mkdir "$work/my programs"
cp "$program" "$work/my programs/my reserve.exe"
check "a program's path may have spaces" prints 0 "succeeded" \
    "$tawny" run "$work/my programs/my reserve.exe" inet6 udp 0 10
check "so may a path of Windows" prints 0 "succeeded" \
    "$tawny" run "Z:$(echo "$work" | sed 's|/|\\|g')\\my programs\\my reserve.exe" inet6 udp 0 10

#
# The service, and persistent reservations
#

stored()
{
    grep -c '^"c4180a00"=hex:12,00,ff,ff$' "$prefix/system.reg"
}

# Whether the service knows the reservation.
is_held()
{
    prints 0 "^bind to port 0 succeeded: port 5020[0-9]" "$tawny" run persist.exe tcp 50200 10 draw
}

"$wineserver" -w
check "a program reserves ports for good" prints 0 "^CreatePersistentTcpPortReservation succeeded" \
    "$tawny" run persist.exe tcp 50200 10 create
check "which are held" is_held
"$wineserver" -w
check "and stored" [ "$(stored)" = 1 ]
check "remove" prints 0 "^Took Tawny out" "$tawny" remove
check "every file of the prefix is as it was before" same_as "$work/before" "$prefix"
check "but that the reservation is stored" [ "$(stored)" = 1 ]
check "plain Wine knows of no persistent reservations" \
    prints 1 "^CreatePersistentTcpPortReservation is missing" \
    "$wine" "$build/x86_64-windows/persist.exe" tcp 50200 10
"$wineserver" -w
check "setup" prints 0 "^Put" "$tawny" setup
check "has it held again" is_held
"$wineserver" -w

check "plain Wine updates the prefix" prints 0 "" "$wine" wineboot -u
"$wineserver" -w
check "Tawny updates the prefix" prints 0 "" "$tawny" run wineboot -u
"$wineserver" -w
check "and doctor finds nothing wrong" prints 0 "registered; it starts with the prefix" "$tawny" doctor
check "the reservation is held" is_held

# A prefix that runs, but whose services cannot find Tawny.
"$wineserver" -w
"$wine" cmd /c "ping -n 300 127.0.0.1" >/dev/null 2>&1 &
sleeper=$!
wait_for_server()
{
    for _ in $(seq 100); do
        ! "$tawny" doctor | grep -q "wineserver of the prefix: running" || return 0
        sleep 0.1
    done
    return 1
}
check "where plain Wine has started the prefix, doctor says what is wrong" wait_for_server
check "that is" prints 1 "^wrong  service PortPool: cannot run, as the prefix was started by another" \
    "$tawny" doctor
"$wineserver" -k
wait "$sleeper" 2>/dev/null
"$wineserver" -w

# Without the service, in a prefix that runs.
udp='HKLM\System\CurrentControlSet\Control\Nsi\{eb004a02-9b1a-11d4-9123-0050047759bc}\5'
"$tawny" run cmd /c "ping -n 300 127.0.0.1" >/dev/null 2>&1 &
sleeper=$!
check "a program runs" wait_for_server
check "doctor says that the service is running" prints 0 "^ok     service PortPool: registered, and running" \
    "$tawny" doctor
check "and counts the reservation" \
    grep -q "^ok     persistent reservations: 1 of TCP ports, 0 of UDP ports" "$work/output"
check "a value is added that makes no sense" prints 0 "" "$tawny" run reg add "$udp" \
    /v "no range" /t REG_BINARY /d 1200ffff /f
check "doctor finds it" prints 1 "^wrong  persistent reservations: .* no range; delete" "$tawny" doctor
check "it is deleted" prints 0 "" "$tawny" run reg delete "$udp" /v "no range" /f
check "when the service is stopped" prints 0 "" "$tawny" run net stop PortPool
check "doctor says so" prints 1 "^wrong  service PortPool: not running" "$tawny" doctor
check "setup does not mind" prints 0 "up to date" "$tawny" setup
check "when it is deleted" prints 0 "" "$tawny" run reg delete \
    'HKLM\System\CurrentControlSet\Services\PortPool' /f
check "doctor says so" prints 1 "^wrong  service PortPool: not registered" "$tawny" doctor
check "setup repairs that" prints 0 "^Put" "$tawny" setup
check "at once" prints 0 "^ok     service PortPool: registered, and running" "$tawny" doctor
check "the reservation is held" is_held
check "a program deletes it" prints 0 "^DeletePersistentTcpPortReservation succeeded" \
    "$tawny" run persist.exe tcp 50200 10 delete
"$wineserver" -k
wait "$sleeper" 2>/dev/null
"$wineserver" -w
check "it is stored no longer" [ "$(stored)" = 0 ]

# Waits until the program's output has a line, or until it ends.
wait_for_line()
{
    for _ in $(seq 300); do
        ! grep -q "$1" "$2" || return 0
        kill -0 "$3" 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}

# A program that holds ports while Tawny is taken out, and put in again.
: >"$work/held"
"$tawny" run reserve.exe inet tcp 0 10 300 >"$work/held" 2>&1 &
holder=$!
check "a program holds ports" wait_for_line "^waiting" "$work/held" "$holder"
check "doctor says that a wineserver is running" prints 0 "wineserver of the prefix: running" \
    "$tawny" doctor
check "remove says that programs are running" prints 0 "^Programs are running in this prefix" \
    "$tawny" remove
check "setup says so too" prints 0 "^Programs are running in this prefix" "$tawny" setup
check "and starts the service" prints 0 "^ok     service PortPool: registered, and running" "$tawny" doctor
check "and the program runs on" kill -0 "$holder"
port=$(sed -n 's/.*: ports \([0-9]*\) to .*/\1/p' "$work/held")
check "with its ports" prints 0 "failed with error 10048" \
    sh -c '! "$@"' sh "$tawny" run reserve.exe inet tcp "$port" 10
"$wineserver" -k
wait "$holder" 2>/dev/null
"$wineserver" -w
check "remove" prints 0 "^Took Tawny out" "$tawny" remove
check "every file of the prefix is as it was before" same_as "$work/before" "$prefix"
check "plain Wine works there" prints 1 "failed with error 10045" "$wine" "$program" inet tcp 0 10
"$wineserver" -k
"$wineserver" -w

#
# Installed
#

make_install()
{
    env -u MAKEFLAGS -u MAKELEVEL make "$1" DESTDIR="$work/staged" >"$work/make.log" 2>&1 || {
        cat "$work/make.log"
        return 1
    }
}

check "make install" make_install install
installed=$(find "$work/staged" -name tawny -type f)
check "installs an executable tawny" test -x "$installed"
check "which says what it is" prints 0 "^tawny [0-9]" "$installed" --version
for file in x86_64-windows/ws2_32.dll x86_64-windows/iphlpapi.dll x86_64-windows/mswsock.dll \
    x86_64-windows/portpool.dll x86_64-windows/netsh.exe \
    x86_64-windows/fallback/ws2_32_wine.dll \
    x86_64-windows/fallback/iphlpapi_wine.dll x86_64-windows/fallback/mswsock_wine.dll \
    x86_64-windows/fallback/standin.dll \
    x86_64-windows/reserve.exe x86_64-windows/persist.exe x86_64-unix/portpool.so; do
    check "installs $file" cmp "$build/$file" \
        "$(find "$work/staged" -path "*/tawny/$file")"
done

#
# A new prefix, with the installed files, by an ordinary user
#

mkdir "$work/user"
as_user()
{
    env HOME="$work/user" WINEPREFIX="$new" "$@"
}

if [ "$(id -u)" = 0 ]; then
    chown 65534:65534 "$work/user"
    as_user()
    {
        setpriv --reuid=65534 --regid=65534 --clear-groups env -C "$work/user" HOME="$work/user" \
            USER=nobody LOGNAME=nobody WINEPREFIX="$new" "$@"
    }
fi

as_owner()
{
    case $1 in
    "$work/user"/*)
        shift 2
        as_user "$wineserver" -k >/dev/null 2>&1
        ;;
    *)
        shift
        "$@"
        ;;
    esac
}

new="$work/user/new prefix"
check "an ordinary user's setup makes a prefix" prints 0 "^Made the prefix $new\.$" \
    as_user "$installed" setup
check "and puts Tawny there" grep -q "^Put Tawny" "$work/output"
check "nothing else is said" [ "$(wc -l <"$work/output")" = 2 ]
check "doctor finds nothing wrong" prints 0 "^ok     Tawny in the prefix: up to date" \
    as_user "$installed" doctor
check "run runs a program that reserves ports" prints 0 "^SIO_RELEASE_PORT_RESERVATION succeeded" \
    as_user "$installed" run reserve.exe inet6 udp 0 10
check "plain Wine knows of no reservations" prints 1 "failed with error 10045" \
    as_user "$wine" "$(find "$work/staged" -path '*/x86_64-windows/reserve.exe')" \
    inet6 udp 0 10
as_user "$wineserver" -k
as_user "$wineserver" -w
check "a program reserves ports for good" prints 0 "^DeletePersistentUdpPortReservation succeeded" \
    as_user "$installed" run persist.exe udp 50200 10
as_user "$wineserver" -k
as_user "$wineserver" -w
check "remove" prints 0 "^Took Tawny out" as_user "$installed" remove

for directory in "$new" "$new/drive_c/windows/system32"; do
    as_user chmod a-w "$directory"
    for command in setup "setup --always" remove; do
        # The command may have an option.
        # shellcheck disable=SC2086
        check "$command may not write to ${directory#"$work"/user/}" \
            refuses_and_keeps "$new" 1 "you may not write to $directory" as_user "$installed" $command
    done
    as_user chmod u+w "$directory"
done
as_user rm -rf "$new"
as_user mkdir "$new"
as_user chmod a-w "$new"
check "setup may not write to an empty directory" refuses_and_keeps "$new" 1 "you may not write" \
    as_user "$installed" setup
as_user chmod u+w "$new"

# Waits until Wine has begun with the prefix, and interrupts tawny.
interrupted_setup()
{
    as_user sh -c 'echo $$ >"$1" && exec "$2" setup' sh "$work/user/pid" "$installed" \
        >"$work/output" 2>&1 &
    for _ in $(seq 300); do
        [ ! -d "$new/drive_c/windows/system32" ] || break
        sleep 0.1
    done
    [ -d "$new/drive_c/windows/system32" ] || return 1
    kill -TERM "$(cat "$work/user/pid")"
    code=0
    wait $! || code=$?
    cat "$work/output"
    [ "$code" = 143 ]
}

check "a setup that is interrupted while Wine makes the prefix" interrupted_setup
check "leaves an empty directory empty" [ -z "$(ls -A "$new")" ]
rmdir "$new"
check "and if there was none" interrupted_setup
check "leaves none" [ ! -e "$new" ]

check "make uninstall" make_install uninstall
check "leaves nothing but directories that are not Tawny's" \
    [ -z "$(find "$work/staged" ! -type d -o -name tawny)" ]
finish
