#!/bin/sh
# tools/tawny: setup --always, after which plain wine uses Tawny
#
# Copyright 2026 the Tawny authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# First with look-alikes, then with a real Wine: two of them, one with Tawny's files in its own library
# directory and one without. Functions are called by way of check; what is in single quotes is for
# another shell.
# shellcheck disable=SC2016,SC2317

# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

real=${WINE-}
prefix=$work/prefix
export WINEPREFIX="$prefix"
make_wine_look_alike "$work/wine" lib/wine
library=$work/wine/lib/wine
export WINE="$work/wine/bin/wine"

new_prefix()
{
    rm -rf "$prefix"
    make_look_alike "$prefix"
    describe "$prefix" >"$work/before"
}

# The overrides of the user, before setup.
override()
{
    printf '[Software\\\\Wine\\\\DllOverrides] 1795275621\n' >"$prefix/user.reg"
    for value; do
        printf '"%s"="%s"\n' "${value%%=*}" "${value#*=}" >>"$prefix/user.reg"
    done
}

# Whether the registry has these overrides, and no others.
has_overrides()
{
    for value; do printf '"%s"="%s"\n' "${value%%=*}" "${value#*=}"; done | sort >"$work/wanted"
    overrides_in "$prefix" | diff "$work/wanted" -
}

ours="iphlpapi=native,builtin mswsock=native,builtin netsh.exe=native,builtin ws2_32=native,builtin"

#
# What setup --always needs
#

new_prefix
check "without Tawny's files in Wine's library directory" \
    refuses_and_keeps "$prefix" 1 "lacks Tawny's files (.*); as root, run: .*tawny-wine-links add $library\." \
    "$tawny" setup --always
absent=$work/absent
check "nor is a prefix made" refuses 1 "lacks Tawny's files" \
    env WINEPREFIX="$absent" "$tawny" setup --always
check "that is" [ ! -e "$absent" ]
link_tawny_into "$library"
for file in x86_64-windows/ws2_32_wine.dll x86_64-windows/mswsock_wine.dll \
    x86_64-unix/ws2_32_wine.so x86_64-windows/portpool.dll x86_64-unix/portpool.so; do
    mv "$library/$file" "$work/file"
    check "without $file there" refuses_and_keeps "$prefix" 1 "lacks Tawny's files (${file##*/})" \
        "$tawny" setup --always
    echo "of another version" >"$library/$file"
    check "with another $file there" \
        refuses_and_keeps "$prefix" 1 "files of another Tawny.* ($library/$file); as root, run" \
        "$tawny" setup --always
    check "not even without --always" refuses_and_keeps "$prefix" 1 "files of another Tawny" \
        "$tawny" setup
    check "doctor says so" prints 1 "^wrong  Wine: .*files of another Tawny" "$tawny" doctor
    rm "$library/$file"
    mv "$work/file" "$library/$file"
done

#
# Between one state and the other
#

check "setup" prints 0 "^Put" "$tawny" setup
check "leaves plain wine alone" has_overrides
check "doctor says so" prints 0 "^ok     plain wine: does without Tawny" "$tawny" doctor
describe "$prefix" >"$work/installed"
check "setup --always" prints 0 "^Put .* Start programs with wine, as ever\." "$tawny" setup --always
# shellcheck disable=SC2086
check "sets the overrides" has_overrides $ours
check "doctor says so" prints 0 "^ok     plain wine: uses Tawny" "$tawny" doctor
describe "$prefix" >"$work/always"
for arguments in --always ""; do
    # shellcheck disable=SC2086
    check "a second setup $arguments says that all is up to date" prints 0 "up to date" \
        "$tawny" setup $arguments
    check "and changes nothing" same_as "$work/always" "$prefix"
done
rm "$prefix/drive_c/windows/system32/portpool.dll"
check "a setup that mends the prefix" prints 0 "^Put .* Start programs with wine, as ever\." "$tawny" setup
check "leaves it at that" same_as "$work/always" "$prefix"
check "setup --no-always" prints 0 "^Put .* Start programs with: tawny run" "$tawny" setup --no-always
check "undoes it" same_as "$work/installed" "$prefix"
check "again it says that all is up to date" prints 0 "up to date" "$tawny" setup --no-always
"$tawny" setup --always >"$work/output"
check "remove" prints 0 "^Took" "$tawny" remove
check "undoes all" same_as "$work/before" "$prefix"
check "setup --always of a prefix without Tawny" prints 0 "^Put" "$tawny" setup --always
check "does all at once" same_as "$work/always" "$prefix"

#
# Overrides of the user's
#

new_prefix
override WS2_32=builtin iphlpapi= msvcrt=native
describe "$prefix" >"$work/before"
check "setup" prints 0 "^Put" "$tawny" setup
check "leaves them alone" sh -c '! "$1" setup | grep -i override' sh "$tawny"
describe "$prefix" >"$work/installed"
check "setup --always replaces them" prints 0 \
    "^Replaced DllOverrides of yours, which tawny remove puts back: ws2_32=builtin iphlpapi=\.$" \
    "$tawny" setup --always
# shellcheck disable=SC2086
check "but for others" has_overrides $ours msvcrt=native
check "setup --always again says nothing of it" sh -c '! "$1" setup --always | grep Replaced' sh "$tawny"
check "setup --no-always" prints 0 "^Put" "$tawny" setup --no-always
# The registry knows no case.
sed -i s/ws2_32/WS2_32/ "$prefix/user.reg"
check "puts them back" same_as "$work/installed" "$prefix"
"$tawny" setup --always >"$work/output"
"$tawny" remove >"$work/output"
sed -i s/ws2_32/WS2_32/ "$prefix/user.reg"
check "so does remove" same_as "$work/before" "$prefix"

new_prefix
# shellcheck disable=SC2086
override $ours
check "setup --always where they are set already" prints 0 "^Put" "$tawny" setup --always
check "remove" prints 0 "^Took" "$tawny" remove
# shellcheck disable=SC2086
check "leaves what was there before" has_overrides $ours

new_prefix
override ws2_32=builtin
"$tawny" setup --always >"$work/output"
override ws2_32=native,builtin iphlpapi=builtin mswsock=native,builtin netsh.exe=native,builtin
check "doctor says when they have been changed" \
    prints 1 "^wrong  plain wine: does not use Tawny any more, .* run tawny setup --always\.$" \
    "$tawny" doctor
cp -a "$prefix" "$work/changed"
check "remove" prints 0 "^Left the override of iphlpapi as it is" "$tawny" remove
check "leaves what has been changed" has_overrides ws2_32=builtin iphlpapi=builtin
rm -rf "$prefix" && mv "$work/changed" "$prefix"
check "setup --always sets them again" prints 0 "puts back: iphlpapi=builtin\.$" "$tawny" setup --always
# shellcheck disable=SC2086
check "all" has_overrides $ours
"$tawny" remove >"$work/output"
check "and remove knows both" has_overrides ws2_32=builtin iphlpapi=builtin

for strange in '"C:\\\\windows"' dword:00000001 '"a;b"'; do
    new_prefix
    override ws2_32=builtin
    printf '"mswsock"=%s\n' "$strange" >>"$prefix/user.reg"
    check "an override that Wine does not know, $strange" \
        refuses_and_keeps "$prefix" 1 "does not know; correct that" "$tawny" setup --always
    check "does not matter without --always" prints 0 "^Put" "$tawny" setup
done

new_prefix
override ws2_32=builtin
"$tawny" setup --always >"$work/output"
check "remove without a Wine that works" prints 0 "^Left the DllOverrides of ws2_32,iphlpapi,mswsock,netsh.exe," \
    env WINE="$work/none" "$tawny" remove
check "takes all else out" sh -c '! ls -A "$1" | grep -i tawny' sh "$prefix"

#
# When Wine's library directory has lost Tawny's files
#

new_prefix
"$tawny" setup --always >"$work/output"
rm "$library/x86_64-unix/portpool.so"
check "doctor says so" prints 1 "^wrong  plain wine: .*lacks Tawny's files (portpool.so); as root, run" \
    "$tawny" doctor
check "setup says so" prints 0 "^With plain wine they have no reservations: .*lacks Tawny's files" \
    "$tawny" setup
rm "$prefix/drive_c/windows/system32/portpool.dll"
check "also when it mends the prefix" prints 0 "^With plain wine they have no reservations: " \
    "$tawny" setup
check "which is up to date then" prints 0 "up to date" "$tawny" setup
check "tawny run does without them" prints 42 "" "$tawny" run program.exe
link_tawny_into "$library"

#
# With a real Wine
#

WINE=$real
[ -n "$real" ] || unset WINE
lacking=$(make_wine_tree "$work/lacking")
cp -a "$work/lacking" "$work/linked"
linked=$work/linked${lacking#"$work/lacking"}
# One a word: there are no spaces in these.
# shellcheck disable=SC2046
link_tawny_into $(libraries_of "$work/linked")
export WINE="$linked"
check "a Wine in a directory of its own" prints 1 "^ok     Wine: version [0-9].* $linked$" "$tawny" doctor
wineserver=$(sed -n 's/^ok     wineserver: //p' "$work/output")
cp "$build/x86_64-windows/reserve.exe" "$build/x86_64-windows/persist.exe" "$work"
machines=x86_64
for machine in x86_64 i386; do
    cp "$build/$machine-windows/obj/tests/tawny/network.exe" "$work/network-$machine.exe"
    cp "$build/$machine-windows/reserve.exe" "$work/reserve-$machine.exe"
done

# Waits until the programs of the prefix have ended.
settle()
{
    "$wineserver" -w
}

# Has programs run for a while, so that the prefix stays as it has been started.
keep()
{
    "$@" cmd /c "ping -n 300 127.0.0.1" >/dev/null 2>&1 &
    keeper=$!
    for _ in $(seq 300); do
        ! "$tawny" doctor | grep -q "^[a-z]* *service PortPool: .*running\|^wrong  service" || return 0
        sleep 0.1
    done
    return 1
}

end()
{
    "$wineserver" -k
    wait "$keeper" 2>/dev/null
    settle
}

rm -rf "$prefix"
check "plain wine makes a prefix" "$linked" wineboot -i
settle
describe "$prefix" >"$work/before"
check "plain wine knows of no reservations there" prints 1 "failed with error 10045" \
    "$linked" "$work/reserve.exe" inet tcp 0 10
settle
check "setup --always" prints 0 "^Put .* Start programs with wine, as ever" "$tawny" setup --always
# Not every Wine is for 32-bit programs, too.
[ ! -f "$prefix/drive_c/windows/syswow64/ws2_32_wine.dll" ] || machines="x86_64 i386"
echo "programs: $machines"
check "plain wine runs a program that reserves ports" prints 0 "^SIO_RELEASE_PORT_RESERVATION succeeded" \
    "$linked" "$work/reserve.exe" inet tcp 0 10
check "so does tawny run" prints 0 "^SIO_RELEASE_PORT_RESERVATION succeeded" \
    "$tawny" run reserve.exe inet tcp 0 10
check "an override in the environment has the last word" prints 1 "failed with error 10045" \
    env WINEDLLOVERRIDES=ws2_32,iphlpapi,mswsock=b "$linked" "$work/reserve.exe" inet tcp 0 10
settle
check "the service runs when plain wine has started the prefix" keep "$linked"
check "which the doctor confirms" prints 0 "^ok     service PortPool: registered, and running" \
    "$tawny" doctor
check "plain wine runs a program that reserves ports for good" \
    prints 0 "^CreatePersistentTcpPortReservation succeeded" \
    "$linked" "$work/persist.exe" tcp 50200 10 create
check "another uses them" prints 0 "^bind to port 0 succeeded: port 5020[0-9]" \
    "$linked" "$work/persist.exe" tcp 50200 10 draw
check "setup --no-always while it runs" prints 0 "^Programs are running in this prefix" \
    "$tawny" setup --no-always
check "has plain wine do without" prints 1 "failed with error 10045" \
    "$linked" "$work/reserve.exe" inet tcp 0 10
check "and setup --always with" prints 0 "^Put" "$tawny" setup --always
check "again" prints 0 "^SIO_RELEASE_PORT_RESERVATION succeeded" \
    "$linked" "$work/reserve.exe" inet6 udp 0 10
end

# Wine's update of a prefix copies what it finds in its library directory.
etc=$prefix/drive_c/windows/system32/drivers/etc
for wine in "$linked" "$lacking"; do
    describe "$prefix" >"$work/kept"
    mv "$etc/services" "$work/services"
    check "${wine#"$work/"} updates the prefix" prints 0 "" "$wine" wineboot -u
    settle
    check "with the files of drivers/etc" cmp "$work/services" "$etc/services"
    check "and leaves all that is Tawny's" same_as "$work/kept" "$prefix"
done
check "the doctor finds nothing wrong" prints 0 "^ok     plain wine: uses Tawny" "$tawny" doctor

#
# With a Wine that lacks Tawny's files
#

for machine in $machines; do
    check "with the other Wine, too, a program for $machine has its network" \
        prints 0 "^the network works" "$lacking" "$work/network-$machine.exe"
    settle
    check "also with the one that has them" prints 0 "^the network works" \
        "$linked" "$work/network-$machine.exe"
    settle
    check "a program that reserves ports gets the answer of plain wine" \
        prints 1 "SIO_ACQUIRE_PORT_RESERVATION failed with error 10045" \
        "$lacking" "$work/reserve-$machine.exe" inet tcp 0 10
    settle
    check "and that of Tawny with the one" prints 0 "^SIO_RELEASE_PORT_RESERVATION succeeded" \
        "$linked" "$work/reserve-$machine.exe" inet tcp 0 10
    settle
done
check "and its user a sentence that says what to do" prints 1 \
    "err:portpool:.*does not find portpool.so, .* start the program with tawny run, or see tawny doctor" \
    env WINEDEBUG= "$lacking" "$work/reserve.exe" inet tcp 0 10
settle
WINE=$lacking
check "the doctor says what to do about that" prints 1 \
    "^wrong  plain wine: has no reservations: .*lacks Tawny's files" "$tawny" doctor
check "tawny run asks for a setup first" refuses 1 "not up to date" "$tawny" run reserve.exe
check "setup" prints 0 "^With plain wine they have no reservations" "$tawny" setup
check "after which tawny run reserves ports" prints 0 "^SIO_RELEASE_PORT_RESERVATION succeeded" \
    "$tawny" run reserve.exe inet tcp 0 10
settle
check "the reservation is still there" prints 0 "^bind to port 0 succeeded: port 5020[0-9]" \
    "$tawny" run persist.exe tcp 50200 10 draw
settle

# Started by another than tawny run.
check "a prefix that plain wine has started" keep "$lacking"
check "has no service" prints 1 "^wrong  service PortPool: cannot run" "$tawny" doctor
check "tawny run warns" prints 7 "^tawny: $prefix was started without Tawny, .*\.$" \
    "$tawny" run cmd /c exit 7
check "in a line on stderr" sh -c '"$1" run cmd /c exit 2>&1 >"$2/stdout" | wc -l | grep -qx 1 &&
    [ ! -s "$2/stdout" ]' sh "$tawny" "$work"
check "and the program can reserve ports" prints 0 "^SIO_RELEASE_PORT_RESERVATION succeeded" \
    "$tawny" run reserve.exe inet tcp 0 10
end
check "a prefix that tawny run has started" keep "$tawny" run
check "gives no reason to" sh -c '! "$1" run cmd /c exit 2>&1 | grep "without Tawny"' sh "$tawny"
end

WINE=$linked
check "setup with the Wine of before" prints 0 "^Put .* Start programs with wine, as ever" "$tawny" setup
check "a program deletes the reservation" prints 0 "^DeletePersistentTcpPortReservation succeeded" \
    "$linked" "$work/persist.exe" tcp 50200 10 delete
settle
check "remove" prints 0 "^Took" "$tawny" remove
check "every file of the prefix is as it was before" same_as "$work/before" "$prefix"
check "and plain wine knows of no reservations" prints 1 "failed with error 10045" \
    "$linked" "$work/reserve.exe" inet tcp 0 10
finish
