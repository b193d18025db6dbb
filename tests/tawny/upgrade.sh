#!/bin/sh
# tools/tawny: prefixes after an upgrade of Tawny or of Wine, with a real Wine
#
# Copyright 2026 the Tawny authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Functions are called by way of check; what is in single quotes is for another shell.
# shellcheck disable=SC2016,SC2317

# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

prefix=$work/prefix
export WINEPREFIX="$prefix"
former=$(make_wine_tree "$work/former")
cp -a "$work/former" "$work/newer"
newer=$work/newer${former#"$work/former"}
export WINE="$former"
check "a Wine in a directory of its own" prints 1 "^ok     Wine: version [0-9].* $former$" "$tawny" doctor
wineserver=$(sed -n 's/^ok     wineserver: //p' "$work/output")

make_other_version
cp "$build/x86_64-windows/persist.exe" "$build/x86_64-windows/reserve.exe" "$work"

settle()
{
    "$wineserver" -w
}

# Whether a program that is started so gets a port of the reservation.
is_held()
{
    prints 0 "^bind to port 0 succeeded: port 5020[0-9]" "$@" "$work/persist.exe" tcp 50200 10 draw &&
        settle
}

# As after an upgrade of Wine: that brings the prefix up to date as soon as a program is started.
let_wine_update()
{
    echo 0 >"$prefix/.update-timestamp"
    rm "$prefix/drive_c/windows/system32/drivers/etc/hosts"
    prints 0 "" "$@" cmd /c exit && settle
}

was_updated()
{
    [ "$(cat "$prefix/.update-timestamp")" != 0 ] &&
        [ -f "$prefix/drive_c/windows/system32/drivers/etc/hosts" ]
}

#
# Started by tawny run
#

check "another version of Tawny sets a prefix up" prints 0 "^Put" "$other" setup
check "a program reserves ports for good" prints 0 "^CreatePersistentTcpPortReservation succeeded" \
    "$other" run persist.exe tcp 50200 10 create
settle
check "with this version, run asks for a setup" refuses 1 "not up to date .*; run tawny setup\.$" \
    "$tawny" run persist.exe
check "setup" prints 0 "^Put" "$tawny" setup
check "after which the doctor finds nothing wrong" prints 0 "^ok     Tawny in the prefix: up to date" \
    "$tawny" doctor
check "and counts the reservation" grep -q "^ok     persistent reservations: 1 of TCP" "$work/output"
check "which is held" is_held "$tawny" run
describe "$prefix" >"$work/kept"
check "plain wine updates the prefix" let_wine_update "$former"
check "that is" was_updated
check "and leaves what is Tawny's" same_as "$work/kept" "$prefix"
check "tawny run updates the prefix" let_wine_update "$tawny" run
check "that is" was_updated
check "and leaves what is Tawny's" same_as "$work/kept" "$prefix"
check "the reservation is held" is_held "$tawny" run

# The same Wine with other files, and another Wine.
for dll in ws2_32 iphlpapi mswsock; do
    find "$work/former" -name "$dll.dll" | while read -r file; do
        cp --remove-destination "$(readlink -f "$file")" "$file.new" && echo "newer" >>"$file.new" &&
            mv "$file.new" "$file"
    done
done
check "when Wine's DLLs have changed, run takes them" is_held "$tawny" run
check "and doctor finds nothing wrong" prints 0 "^ok     Tawny in the prefix: up to date" "$tawny" doctor
WINE=$newer
check "with a Wine elsewhere, run asks for a setup" refuses 1 "not up to date .*; run tawny setup\.$" \
    "$tawny" run persist.exe
check "setup" prints 0 "^Put" "$tawny" setup
check "the reservation is held" is_held "$tawny" run

# While programs run.
"$tawny" run cmd /c "ping -n 300 127.0.0.1" >/dev/null 2>&1 &
keeper=$!
check "while a program runs" is_running
WINE=$former
check "setup changes back" prints 0 "^Programs are running in this prefix" "$tawny" setup
check "and programs use the reservation" prints 0 "^bind to port 0 succeeded: port 5020[0-9]" \
    "$tawny" run persist.exe tcp 50200 10 draw
"$wineserver" -k
wait "$keeper" 2>/dev/null
settle

#
# Started by plain wine
#

# One a word: there are no spaces in these.
# shellcheck disable=SC2046
link_tawny_into $(libraries_of "$work/former") $(libraries_of "$work/newer")
check "setup --always" prints 0 "^Put" "$tawny" setup --always
check "plain wine has the reservation" is_held "$former"
describe "$prefix" >"$work/kept"
check "plain wine updates the prefix" let_wine_update "$former"
check "that is" was_updated
check "and leaves what is Tawny's" same_as "$work/kept" "$prefix"
check "the reservation is held" is_held "$former"
check "by a Wine elsewhere, too, without a setup" is_held "$newer"
check "which doctor asks for" prints 1 "^wrong  Tawny in the prefix: not up to date" \
    env WINE="$newer" "$tawny" doctor
check "setup" prints 0 "^Put .* Start programs with wine, as ever" env WINE="$newer" "$tawny" setup
check "and all is well" prints 0 "^ok     plain wine: uses Tawny" env WINE="$newer" "$tawny" doctor
check "also with the Wine of before" is_held "$former"
check "setup changes back" prints 0 "^Put" "$tawny" setup

# Tawny's files in Wine's library directory are this version's, those in the prefix the other's.
for dll in ws2_32 portpool; do
    cp "$work/other/lib/tawny/x86_64-windows/$dll.dll" "$prefix/drive_c/windows/system32/"
done
check "after an upgrade of Tawny, before the setup, plain wine has the reservation" is_held "$former"
check "doctor asks for a setup" prints 1 "not up to date (ws2_32.dll portpool.dll\|not up to date (portpool.dll" \
    "$tawny" doctor
check "setup" prints 0 "^Put .* Start programs with wine, as ever" "$tawny" setup
check "the reservation is held" is_held "$former"
check "also by tawny run" is_held "$tawny" run
check "it is deleted" prints 0 "^DeletePersistentTcpPortReservation succeeded" \
    "$former" "$work/persist.exe" tcp 50200 10 delete
settle
finish
