#!/bin/sh
# tools/tawny: setup and remove change a prefix as they should, wholly or not at all
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
system32=$prefix/drive_c/windows/system32
export WINEPREFIX="$prefix"
make_wine_look_alike "$work/wine" lib/wine
export WINE="$work/wine/bin/wine"

make_other_version

new_prefix()
{
    rm -rf "$prefix"
    make_look_alike "$prefix"
    describe "$prefix" >"$work/before"
}

#
# What is put where
#

new_prefix
check "setup" prints 0 "^Put Tawny .* into $prefix\." "$tawny" setup
for dll in ws2_32 iphlpapi mswsock portpool; do
    check "our $dll.dll is in system32" cmp "$build/x86_64-windows/$dll.dll" "$system32/$dll.dll"
done
check "our netsh.exe is in system32" cmp "$build/x86_64-windows/netsh.exe" "$system32/netsh.exe"
for dll in ws2_32 iphlpapi mswsock; do
    check "what leads to Wine's $dll.dll where Wine does not is there by its other name" \
        cmp "$build/x86_64-windows/fallback/${dll}_wine.dll" "$system32/${dll}_wine.dll"
    check "to a stand-in for $dll.dll" \
        cmp "$build/x86_64-windows/fallback/standin.dll" "$system32/tawny/$dll.dll"
done
for file in x86_64-windows/ws2_32_wine.dll x86_64-windows/iphlpapi_wine.dll \
    x86_64-windows/mswsock_wine.dll x86_64-unix/ws2_32_wine.so; do
    check "$file is a link into Wine's library directory" \
        [ "$(readlink -f "$prefix/tawny/$file")" = "$work/wine/lib/wine/$(echo "$file" | sed s/_wine//)" ]
done
describe "$prefix" >"$work/installed"
check "a second setup says that all is up to date" prints 0 "up to date" "$tawny" setup
check "and changes nothing" same_as "$work/installed" "$prefix"
check "doctor agrees" prints 0 "^ok     Tawny in the prefix: up to date" "$tawny" doctor
check "remove" prints 0 "^Took Tawny out of $prefix" "$tawny" remove
check "the prefix is as before" same_as "$work/before" "$prefix"
check "a second remove finds nothing" prints 0 "nothing to remove" "$tawny" remove
check "and changes nothing" same_as "$work/before" "$prefix"

# Files of these names, and an original that is a link.
new_prefix
mv "$system32/ws2_32.dll" "$work/elsewhere.dll"
ln -s "$work/elsewhere.dll" "$system32/ws2_32.dll"
echo "mine" >"$system32/portpool.dll"
echo "mine too" >"$system32/ws2_32_wine.dll"
mkdir "$system32/tawny"
echo "mine as well" >"$system32/tawny/file"
describe "$prefix" >"$work/before"
check "setup over a link and over other files" prints 0 "^Put" "$tawny" setup
check "the link's target is as before" grep -q "the original" "$work/elsewhere.dll"
check "remove" prints 0 "^Took" "$tawny" remove
check "link and files are as before" same_as "$work/before" "$prefix"

new_prefix
rm "$system32/ws2_32.dll"
describe "$prefix" >"$work/before"
check "setup where there is no ws2_32.dll" prints 0 "^Put" "$tawny" setup
check "remove" prints 0 "^Took" "$tawny" remove
check "there is none again" same_as "$work/before" "$prefix"

#
# Bringing up to date
#

new_prefix
check "setup with another version" prints 0 "^Put" "$other" setup
check "doctor says which files are not up to date" \
    prints 1 "not up to date (ws2_32.dll portpool.dll netsh.exe)" \
    "$tawny" doctor
check "run refuses" refuses 1 "not up to date" "$tawny" run reserve.exe
check "setup brings it up to date" prints 0 "^Put" "$tawny" setup
check "as if it had been set up so at first" same_as "$work/installed" "$prefix"
check "remove" prints 0 "^Took" "$tawny" remove
check "the original is not mistaken" same_as "$work/before" "$prefix"

"$tawny" setup >/dev/null
echo "newer" >>"$work/wine/lib/wine/x86_64-windows/ws2_32.dll"
check "when Wine's files have changed, all is up to date still" prints 0 "up to date" "$tawny" setup
check "doctor agrees" prints 0 "^ok     Tawny in the prefix: up to date" "$tawny" doctor
make_wine_look_alike "$work/second wine" lib64/wine
WINE="$work/second wine/bin/wine"
check "with another Wine, run refuses" refuses 1 "not up to date" "$tawny" run reserve.exe
check "setup changes to it" prints 0 "^Put" "$tawny" setup
check "which doctor confirms" prints 0 "up to date" "$tawny" doctor
WINE=$work/wine/bin/wine
echo "Wine's ws2_32.dll" >"$work/wine/lib/wine/x86_64-windows/ws2_32.dll"
check "setup changes back" prints 0 "^Put" "$tawny" setup
check "leaving nothing of the other" same_as "$work/installed" "$prefix"

# What Wine's own update of a prefix does: it copies each builtin it finds, in the place of another.
echo "Wine builtin DLL, newer" >"$system32/portpool.dll"
check "remove after Wine has copied a builtin" prints 0 "^Took" "$tawny" remove
check "the prefix is as before" same_as "$work/before" "$prefix"

# Where a former version had Wine's own DLL, by its other name.
echo "Wine builtin DLL, older" >"$system32/ws2_32_wine.dll"
check "setup over what a former version has left" prints 0 "^Put" "$tawny" setup
check "does not take it for the user's" [ ! -e "$prefix/tawny/original/drive_c/windows/system32/ws2_32_wine.dll" ]
check "remove" prints 0 "^Took" "$tawny" remove
check "takes it out" same_as "$work/before" "$prefix"

# A version with a file that this one does not have.
"$tawny" setup >/dev/null
echo "the original of old" >"$work/old"
mkdir -p "$prefix/tawny/original/drive_c/windows"
cp "$work/old" "$prefix/tawny/original/drive_c/windows/old.dll"
for file in old.dll older.dll; do
    echo "of a former version" >"$prefix/drive_c/windows/$file"
    printf 'file\t%s\t%s\n' "$(sha256sum <"$prefix/drive_c/windows/$file" | cut -d ' ' -f 1)" \
        "drive_c/windows/$file" >>"$prefix/tawny/manifest"
done
check "a file that is no longer Tawny's makes the prefix out of date" \
    prints 1 "not up to date (old.dll older.dll)" "$tawny" doctor
check "setup takes it out" prints 0 "^Put" "$tawny" setup
check "puts its original back" cmp "$work/old" "$prefix/drive_c/windows/old.dll"
rm -rf "$prefix/drive_c/windows/old.dll" "$prefix/tawny/original/drive_c/windows/old.dll"
check "and leaves nothing else" same_as "$work/installed" "$prefix"

#
# The service, and what it keeps
#

nsi='System\\CurrentControlSet\\Control\\Nsi\\{eb004a0'

# Wine has been asked this often to change the registration.
asked()
{
    [ "$(wc -l <"$work/wine/entries.log")" = "$1" ]
}

# Of the lines that make the service, all must be in the registry, or none.
registry_has()
{
    service_entries | grep . >"$work/entries"
    number=$(grep -cxFf "$work/entries" "$prefix/system.reg")
    wanted_number=0
    [ "$1" = none ] || wanted_number=$(service_entries | grep -c .)
    echo "$number of its lines are there"
    [ "$number" = "$wanted_number" ]
}

unregister()
{
    service_entries | grep . >"$work/entries"
    grep -vxFf "$work/entries" "$work/registry" >"$prefix/system.reg"
}

# Persistent reservations: one of 20 TCP ports from 5000, two of UDP ports.
store_ranges()
{
    printf '\n[%s3-9b1a-11d4-9123-0050047759bc}\\\\29] 1795275621\n"13881400"=hex:12,00,ff,ff\n' "$nsi"
    printf '\n[%s2-9b1a-11d4-9123-0050047759bc}\\\\5] 1795275621\n%s\n%s\n' "$nsi" \
        '"cc570100"=hex:12,00,ff,ff' '"CB571000"=hex:12,00,ff,ff'
}

rm -f "$work/wine/entries.log"
new_prefix
check "setup" prints 0 "^Put" "$tawny" setup
check "registers the service" registry_has all
check "asking Wine once" asked 1
check "doctor says so" prints 0 "^ok     service PortPool: registered; it starts with the prefix" \
    "$tawny" doctor
check "a second setup does not ask again" prints 0 "up to date" "$tawny" setup
check "that is" asked 1
cp "$prefix/system.reg" "$work/registry"
for entry in '\[System.*Parameters' '"ImagePath"' '"PortPool"='; do
    grep -v "$entry" "$work/registry" >"$prefix/system.reg"
    check "without $entry in the registry, doctor finds the service missing" \
        prints 1 "^wrong  service PortPool: not registered; run tawny setup\." "$tawny" doctor
    check "setup registers it again" prints 0 "^Put" "$tawny" setup
    check "completely" registry_has all
done
check "asking each time" asked 4
unregister
check "without any of it, too" prints 1 "^wrong  service PortPool: not registered" "$tawny" doctor
check "setup registers it again" prints 0 "^Put" "$tawny" setup
check "completely" registry_has all
check "and changes nothing else" same_as "$work/installed" "$prefix"
sed 's/^\[System..CurrentControlSet/[System\\\\ControlSet001/' "$work/registry" >"$prefix/system.reg"
check "newer Wines register it in ControlSet001" prints 0 "^ok     service PortPool: registered" \
    "$tawny" doctor
cp "$work/registry" "$prefix/system.reg"
"$other" setup >"$work/output"
check "an update has Wine register it anew" asked 6
"$tawny" setup >"$work/output"
check "remove" prints 0 "^Took" "$tawny" remove
check "unregisters it" registry_has none
check "so that the prefix is as before" same_as "$work/before" "$prefix"

# With an old registration and no Tawny.
cp "$work/registry" "$prefix/system.reg"
check "setup where the service has been left registered" prints 0 "^Put" "$tawny" setup
check "registers it no second time" registry_has all
check "remove without Wine" prints 0 "^Left the service PortPool registered" \
    env WINE="$work/none" "$tawny" remove
check "leaves it registered" registry_has all
check "and all else as before" sh -c '! ls -A "$1" | grep -i tawny' sh "$prefix"

new_prefix
store_ranges >>"$prefix/system.reg"
describe "$prefix" >"$work/before"
check "doctor counts the stored reservations" \
    prints 1 "^ok     persistent reservations: 1 of TCP ports, 2 of UDP ports" "$tawny" doctor
for command in setup remove setup; do
    check "$command" prints 0 "" "$tawny" "$command"
    store_ranges | grep . >"$work/ranges"
    check "leaves them as they are" [ "$(grep -cxFf "$work/ranges" "$prefix/system.reg")" = 5 ]
done
check "which the doctor confirms" \
    prints 0 "^ok     persistent reservations: 1 of TCP ports, 2 of UDP ports" "$tawny" doctor
# A right one among others: too short, too long, not hex, from port 0, without ports, past 65535,
# overlapping, of the wrong size, of the wrong type, a sentence.
{
    printf '\n[%s3-9b1a-11d4-9123-0050047759bc}\\\\29] 1795275621\n' "$nsi"
    for value in 1388140 138814000 1388140g 00000100 20000000 ffff0200 13881400 139b0100; do
        printf '"%s"=hex:12,00,ff,ff\n' "$value"
    done
    printf '%s\n' '"13b00100"=hex:12,00,ff' '"13b10100"=hex(2):12,00,ff,ff' '"no \"range\""=dword:01'
    printf '\n[%s2-9b1a-11d4-9123-0050047759bc}\\\\5] 1795275621\n' "$nsi"
    for value in fff01000 fffe0100 fff00f00; do
        printf '"%s"=hex:12,00,ff,ff\n' "$value"
    done
} >"$work/ranges"
new_prefix
cat "$work/ranges" >>"$prefix/system.reg"
"$tawny" setup >"$work/output"
check "doctor finds values that make no sense" \
    prints 1 "^ok     persistent reservations: 1 of TCP ports, 1 of UDP ports" "$tawny" doctor
for value in 1388140 138814000 1388140g 00000100 20000000 ffff0200 139b0100 13b00100 13b10100 \
    'no ..range..'; do
    check "such as $value" grep -q "^wrong  persistent .*\\\\29 .* ${value}[ ;].* delete" "$work/output"
done
check "but not the right one" sh -c '! grep -q "^wrong.* 13881400[ ;]" "$1"' sh "$work/output"
check "and of UDP" grep -q "^wrong  persistent .*\\\\5 .* fff01000 fffe0100; delete" "$work/output"
check "setup and remove leave them alone" sh -c '"$1" setup && "$1" remove' sh "$tawny"
check "all" [ "$(grep . "$work/ranges" | grep -cxFf - "$prefix/system.reg")" = 16 ]

# The journal of persistent reservations is of use while the saved registry may lack what it says.
journal=$prefix/portpool.journal
new_prefix
"$tawny" setup >"$work/output"
echo "1 add tcp 5000 20 0" >"$journal"
unregister
check "setup that registers the service again" prints 0 "^Put" "$tawny" setup
check "leaves the journal" grep -q "^1 add" "$journal"
check "remove" prints 0 "^Took" "$tawny" remove
check "takes it away when the registry has been saved" [ ! -e "$journal" ]
"$tawny" setup >"$work/output"
echo "1 add tcp 5000 20 0" >"$journal"
check "remove without Wine, where the service stays registered" prints 0 "^Took" \
    env WINE="$work/none" "$tawny" remove
check "leaves the journal" grep -q "^1 add" "$journal"
check "so does setup after that" sh -c '"$1" setup && cat "$2"' sh "$tawny" "$journal"
env WINE="$work/none" "$tawny" remove >"$work/output"
unregister
check "setup, where the registry was saved without the service" prints 0 "^Put" "$tawny" setup
check "takes the journal away: it is an old one" [ ! -e "$journal" ]
: >"$journal"
unregister
check "remove, where Wine did not know the service" prints 0 "^Took" "$tawny" remove
check "takes away a journal that says nothing" [ ! -e "$journal" ]

#
# Files that somebody else has changed
#

new_prefix
"$tawny" setup >/dev/null
echo "a newer original" >"$system32/ws2_32.dll"
check "remove leaves a file that has changed since" prints 0 "^Left .*ws2_32.dll as it is" \
    "$tawny" remove
check "which is still there" grep -q "a newer original" "$system32/ws2_32.dll"
check "setup" prints 0 "^Put" "$tawny" setup
echo "the newest original" >"$system32/ws2_32.dll"
check "setup over a file that has changed since" prints 0 "^Put" "$tawny" setup
check "keeps that as the original" prints 0 "^Took" "$tawny" remove
check "and so it comes back" grep -q "the newest original" "$system32/ws2_32.dll"

new_prefix
"$other" setup >/dev/null
rm -rf "$prefix/tawny"
check "setup where the directory tawny has been deleted" prints 0 "^Put" "$tawny" setup
check "remove" prints 0 "^Took" "$tawny" remove
for file in ws2_32.dll iphlpapi.dll mswsock.dll netsh.exe; do
    check "does not take our own $file for the original, but Wine's" \
        cmp "$work/wine/lib/wine/x86_64-windows/$file" "$system32/$file"
done
make_look_alike "$prefix"
check "and leaves nothing else" same_as "$work/before" "$prefix"

#
# Failures in the middle
#

# Programs that fail, or end the tawny that calls them, in the call with the number in $work/fuse.
mkdir "$work/shims"
for program in cp mv ln mkdir rm; do
    real=$(command -v "$program")
    # When files cannot be deleted, nothing can be undone: rm only ends tawny.
    [ "$program" != rm ] || unless="[ \"\$TEST_SIGNAL\" = KILL ] || exec $real \"\$@\""
    cat >"$work/shims/$program" <<EOF
#!/bin/sh
${unless-}
fuse=\$((\$(cat "$work/fuse") - 1))
echo "\$fuse" >"$work/fuse"
if [ "\$fuse" = 0 ]; then
    [ -z "\$TEST_SIGNAL" ] || kill -s "\$TEST_SIGNAL" "\$PPID"
    exit 1
fi
exec $real "\$@"
EOF
    chmod +x "$work/shims/$program"
done
# For the Wine that tawny calls: ends tawny.
cat >"$work/shims/step" <<EOF
#!/bin/sh
fuse=\$((\$(cat "$work/fuse") - 1))
echo "\$fuse" >"$work/fuse"
[ "\$fuse" = 0 ] || exit 0
[ -z "\$TEST_SIGNAL" ] || kill -s "\$TEST_SIGNAL" "\$(awk '{ print \$4 }' "/proc/\$PPID/stat")"
exit 1
EOF
chmod +x "$work/shims/step"

# Runs a command with the fuse at a number; succeeds if the fuse has burnt.
burns()
{
    echo "$1" >"$work/fuse"
    signal=$2
    shift 2
    code=0
    PATH=$work/shims:$PATH TEST_SIGNAL=$signal "$@" >"$work/output" 2>&1 || code=$?
    [ "$(cat "$work/fuse")" -le 0 ]
}

# Prefixes to start from.
new_prefix
mkdir "$work/state"
cp -a "$prefix" "$work/state/original"
"$other" setup >/dev/null
cp -a "$prefix" "$work/state/other version"
rm -rf "$prefix" && cp -a "$work/state/original" "$prefix"
"$tawny" setup >/dev/null
echo "1 add tcp 5000 20 0" >"$prefix/portpool.journal"
cp -a "$prefix" "$work/state/this version"
link_tawny_into "$work/wine/lib/wine"
"$tawny" setup --always >/dev/null
describe "$prefix" >"$work/always"
cp -a "$prefix" "$work/state/always"

bring_back()
{
    rm -rf "$prefix" && cp -a "$work/state/$state" "$prefix"
}

# Lets tawny fail at every step of a command, by itself or by a signal, in a prefix in the state
# given. Each time, what recover says must be so afterwards.
at_every_step()
{
    state=$1
    recover=$2
    signal=$3
    command=$4
    bring_back
    describe "$prefix" >"$work/kept"
    steps=0
    # The command may have an option.
    # shellcheck disable=SC2086
    while burns "$((steps + 1))" "$signal" "$tawny" $command; do
        steps=$((steps + 1))
        if [ "$code" = 0 ] || ! "$recover"; then
            echo "step $steps, exit code $code:"
            cat "$work/output"
            return 1
        fi
    done
    echo "after $steps steps, exit code $code"
    cat "$work/output"
    [ "$steps" -gt 3 ] && [ "$code" = 0 ]
}

is_unchanged()
{
    same_as "$work/kept" "$prefix"
}

# A killed one cannot undo anything. Until somebody else does, the prefix must not pass for whole.
can_be_removed()
{
    if [ -e "$prefix/.tawny-undo" ] && ! refuses 1 "not finished" "$tawny" run reserve.exe; then
        return 1
    fi
    prints 0 "" "$tawny" remove && same_as "$work/before" "$prefix" && bring_back
}

can_be_set_up()
{
    prints 0 "" "$tawny" setup && same_as "$work/installed" "$prefix" && bring_back
}

can_be_set_up_always()
{
    prints 0 "" "$tawny" setup --always && same_as "$work/always" "$prefix" && bring_back
}

check "a setup that fails at any step leaves the prefix as it was" \
    at_every_step original is_unchanged "" setup
check "so does one that brings it up to date" \
    at_every_step "other version" is_unchanged "" setup
check "so does one that has plain wine use Tawny" \
    at_every_step "this version" is_unchanged "" "setup --always"
check "so does one that has it do without" \
    at_every_step always is_unchanged "" "setup --no-always"
check "so does a remove" at_every_step always is_unchanged "" remove
check "so does a setup that is terminated" at_every_step original is_unchanged TERM setup
check "so does a setup --always that is terminated" \
    at_every_step "this version" is_unchanged TERM "setup --always"
check "so does a remove that is interrupted" at_every_step always is_unchanged INT remove
check "what a killed setup leaves, remove can undo" \
    at_every_step original can_be_removed KILL setup
check "what a killed update leaves, setup can finish" \
    at_every_step "other version" can_be_set_up KILL setup
check "what a killed setup --always leaves, the next can finish" \
    at_every_step "this version" can_be_set_up_always KILL "setup --always"
check "what a killed remove leaves, remove can finish" \
    at_every_step always can_be_removed KILL remove

#
# A full disk
#

# Has a small disk for the prefix, and no room on it for all that setup puts there.
on_a_full_disk()
{
    share="unshare --mount"
    [ "$(id -u)" = 0 ] || share="unshare --user --map-root-user --mount"
    # shellcheck disable=SC2086
    $share sh -c 'mount -t tmpfs -o size=200k none "$1" && cp -a "$2/." "$1" && shift 2 && exec "$@"' \
        sh "$prefix" "$work/state/original" "$@"
}

new_prefix
if on_a_full_disk true 2>/dev/null; then
    check "setup on a disk that is full" prints 1 "^tawny: $prefix/.* cannot be .*; see above\.$" \
        on_a_full_disk "$tawny" setup
    check "leaves the prefix as it was" on_a_full_disk sh -c '! "$1" setup && diff -r "$2" "$3"' \
        sh "$tawny" "$work/state/original" "$prefix"
else
    echo "No mount to be had: a full disk is not tested."
fi

#
# Two at a time
#

new_prefix
exec 8<"$prefix"
flock 8
for command in setup remove; do
    check "$command while another is at work" refuses_and_keeps "$prefix" 1 "another tawny is at work" \
        "$tawny" "$command"
done
exec 8<&-
check "setup when the other is done" prints 0 "^Put" "$tawny" setup
finish
