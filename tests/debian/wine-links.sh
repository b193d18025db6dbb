#!/bin/sh
# tools/tawny-wine-links: on directories that look like Wine's
#
# Copyright 2026 the Tawny authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Functions are called by way of check; what is in single quotes is for another shell.
# shellcheck disable=SC2016,SC2317

# shellcheck source=tests/tawny/common.sh
. "$(dirname "$0")/../tawny/common.sh"

suite="wine-links"

# As installed below a directory of its own, where the places in which packages put Wine are, too.
libdir=$(sed -n 's/^libdir=//p' "$build/tools/tawny-wine-links")
libdir=${libdir#'${exec_prefix}'}
library=$work/own${libdir#'${prefix}'}/tawny
links=$work/own/bin/tawny-wine-links
wine=$work/usr/lib/x86_64-linux-gnu/wine
wine32=$work/usr/lib/i386-linux-gnu/wine

make_files()
{
    for file; do
        mkdir -p "${file%/*}"
        echo "$file" >"$file"
    done
}

make_tawny()
{
    mkdir -p "$1/bin"
    sed "s|^/usr/|$work/usr/|; s|^/opt/|$work/opt/|" "$build/tools/tawny-wine-links" \
        >"$1/bin/tawny-wine-links"
    chmod +x "$1/bin/tawny-wine-links"
    make_files "$1${library#"$work/own"}/x86_64-windows/portpool.dll" \
        "$1${library#"$work/own"}/x86_64-unix/portpool.so" \
        "$1${library#"$work/own"}/i386-windows/portpool.dll" \
        "$1${library#"$work/own"}/i386-unix/portpool.so"
}

# Makes what looks like a Wine's library directory, for the machines given, each with a Unix side unless
# a minus says otherwise.
make_wine()
{
    directory=$1
    shift
    for machine; do
        for dll in ntdll ws2_32 iphlpapi mswsock; do
            make_files "$directory/${machine%-}-windows/$dll.dll"
        done
        [ "$machine" != "${machine%-}" ] ||
            make_files "$directory/$machine-unix/ntdll.so" "$directory/$machine-unix/ws2_32.so"
    done
}

refuses()
{
    prints "$@" || return 1
    shift 2
    "$@" 2>/dev/null </dev/null | grep . && return 1
    [ "$(wc -l <"$work/output")" = 1 ] && grep -q '^tawny-wine-links: .*\.$' "$work/output"
}

# Whether these, as PATH=TARGET, are all links below a directory.
has_links()
{
    directory=$1
    shift
    find "$directory" -type l -printf '%P=%l\n' | LC_ALL=C sort >"$work/links"
    printf '%s\n' "$@" | grep . | LC_ALL=C sort | diff - "$work/links"
}

# The links for a machine: all, or those of the Windows side.
links_for()
{
    printf '%s\n' "$1-windows/portpool.dll=$library/$1-windows/portpool.dll"
    for dll in ws2_32 iphlpapi mswsock; do
        printf '%s\n' "$1-windows/${dll}_wine.dll=$dll.dll"
    done
    [ "${2-all}" = all ] || return 0
    printf '%s\n' "$1-unix/portpool.so=$library/$1-unix/portpool.so" \
        "$1-unix/ws2_32_wine.so=ws2_32.so"
}

make_tawny "$work/own"
make_wine "$wine" x86_64
# Of a 32-bit Wine that is not there, as Debian has them.
make_files "$wine/i386-windows/zlib1.dll"
make_wine "$wine32" i386
cp -a "$work/usr" "$work/usr.before"
before()
{
    describe "$work/usr.before" >"$work/before"
    same_as "$work/before" "$work/usr"
}

#
# Arguments
#

check "--help" prints 0 "^Usage: tawny-wine-links add" "$links" --help
for command in add remove; do
    check "$command --help" prints 0 "^Usage: tawny-wine-links" "$links" "$command" --help
    check "$command with an option" refuses 2 "no option --force" "$links" "$command" --force
    check "$command in what is no directory" refuses 1 "not a directory" \
        "$links" "$command" "$work/absent"
done
check "no command" refuses 2 "no command" "$links"
check "an unknown command" refuses 2 "no command fly" "$links" fly
check "add in what is no Wine" refuses 1 "no library directory of Wine" "$links" add "$work"
check "add in a Wine and in what is none" refuses 1 "no library directory of Wine" \
    "$links" add "$wine" "$wine/i386-windows"
check "all is as it was before" before

#
# Each kind of Wine
#

check "add" prints 0 "^Linked Tawny into $wine\.$" "$links" add
check "in two Wines" grep -q "^Linked Tawny into $wine32\.$" "$work/output"
check "makes the links of a 64-bit Wine" has_links "$wine" "$(links_for x86_64)"
check "makes those of a 32-bit Wine" has_links "$wine32" "$(links_for i386)"
check "an alias leads to Wine's own" cmp "$wine/x86_64-windows/ws2_32_wine.dll" \
    "$wine/x86_64-windows/ws2_32.dll"
describe "$work/usr" >"$work/linked"
check "a second add finds all done" prints 0 "^Tawny's links are in $wine already\.$" "$links" add
check "and changes nothing" same_as "$work/linked" "$work/usr"
rm "$wine/x86_64-windows/iphlpapi_wine.dll" "$wine32/i386-unix/portpool.so"
check "add makes what is missing" prints 0 "^Linked Tawny into $wine32\.$" "$links" add
check "that is" same_as "$work/linked" "$work/usr"
check "remove" prints 0 "^Took Tawny's links out of $wine32\.$" "$links" remove
check "all is as it was before" before
check "a second remove has nothing to do" prints 0 "^There are no links" "$links" remove
check "and does nothing" before

new=$work/new/wine
make_wine "$new" x86_64 i386-
check "add in a Wine whose 32-bit programs use the 64-bit Unix side" \
    prints 0 "^Linked Tawny into $new\.$" "$links" add "$new"
check "makes the links for both kinds of programs" \
    has_links "$new" "$(links_for x86_64)" "$(links_for i386 windows)"
check "and none elsewhere" before
mkdir "$new/i386-unix"
ln -s "$library/i386-unix/portpool.so" "$new/i386-unix/portpool.so"
check "what such a Wine has kept from another is taken out" prints 0 "^Linked" "$links" add "$new"
check "that is" has_links "$new" "$(links_for x86_64)" "$(links_for i386 windows)"
check "with its directory" [ ! -e "$new/i386-unix" ]
check "remove without names does not touch it" prints 0 "^There are no links" "$links" remove
check "that is" [ -L "$new/x86_64-windows/portpool.dll" ]
check "remove, twice the same" prints 0 "^Took Tawny's links out of $new\.$" \
    "$links" remove "$new" "$new/../wine/"
check "says so once" [ "$(wc -l <"$work/output")" = 1 ]
check "leaves no link" has_links "$new" ""

both=$work/opt/wine-stable/lib/wine
make_wine "$both" x86_64 i386
spaced="$work/a Wine"
make_wine "$spaced" i386
check "add with and without names" prints 0 "^Linked Tawny into $spaced\.$" "$links" add "$spaced"
check "in a directory with a space" has_links "$spaced" "$(links_for i386)"
check "also where WineHQ puts Wine" prints 0 "^Linked Tawny into $both\.$" "$links" add
check "makes the links for both machines" has_links "$both" "$(links_for x86_64)" "$(links_for i386)"
check "remove" prints 0 "^Took Tawny's links out of $both\.$" "$links" remove
check "leaves none there" has_links "$both" ""
check "remove by name" prints 0 "^Took Tawny's links out of $spaced\.$" "$links" remove "$spaced"
check "leaves none there" has_links "$spaced" ""
rm -r "$work/opt"

#
# Wine goes, and the links stay
#

check "add" prints 0 "^Linked" "$links" add
find "$wine32" -type f -exec rm {} +
check "add takes out the links of a Wine that has gone" prints 0 \
    "^Took Tawny's links out of $wine32, where there is no Wine any more\.$" "$links" add
check "and its directories" [ ! -e "$wine32" ]
check "but leaves the other's" has_links "$wine" "$(links_for x86_64)"
find "$wine/x86_64-windows" "$wine/x86_64-unix" -type f -exec rm {} +
check "add without any Wine" prints 1 "no Wine in the usual places" "$links" add
check "leaves what is not Wine's" [ "$(cd "$work/usr/lib" && find . -type f)" = \
    ./x86_64-linux-gnu/wine/i386-windows/zlib1.dll ]
check "and no link" has_links "$work/usr" ""
check "remove without any Wine" prints 0 "^There are no links" "$links" remove

#
# What is not ours, and what is another Tawny's
#

rm -r "${work:?}/usr"
cp -a "$work/usr.before" "$work/usr"
for name in "x86_64-windows/portpool.dll" "x86_64-windows/mswsock_wine.dll" "x86_64-unix/ws2_32_wine.so"; do
    for kind in file link directory; do
        case $kind in
        file) echo "somebody's" >"$wine/$name" ;;
        link) ln -s /somebody/elses "$wine/$name" ;;
        directory) mkdir "$wine/$name" ;;
        esac
        describe "$work/usr" >"$work/before"
        check "add where a $kind is in the way of $name" refuses 1 \
            "$wine/$name is in the way, and no link of Tawny's" "$links" add "$wine"
        check "changes nothing" same_as "$work/before" "$work/usr"
        check "nor does remove" prints 0 "^There are no links" "$links" remove "$wine"
        check "that is" same_as "$work/before" "$work/usr"
        check "another Wine is linked nevertheless" prints 1 "^Linked Tawny into $wine32" "$links" add
        check "that is" has_links "$wine32" "$(links_for i386)"
        check "remove" prints 0 "^Took Tawny's links out of $wine32\.$" "$links" remove
        check "leaves what was there before" same_as "$work/before" "$work/usr"
        rm -r "${wine:?}/$name"
    done
done

make_tawny "$work/other"
other=$work/other/bin/tawny-wine-links
check "another Tawny has linked itself" prints 0 "^Linked" "$other" add
describe "$work/usr" >"$work/linked"
check "remove leaves its links" prints 0 "^There are no links" "$links" remove
check "all of them" same_as "$work/linked" "$work/usr"
check "add replaces them" prints 0 "^Linked Tawny into $wine\.$" "$links" add
check "all of them" has_links "$wine" "$(links_for x86_64)"
check "the other's remove leaves these" prints 0 "^There are no links" "$other" remove
check "all of them" has_links "$wine" "$(links_for x86_64)"
check "the other links itself again" prints 0 "^Linked" "$other" add
rm -r "$work/other"
check "and has gone: remove takes its links out" prints 0 "^Took Tawny's links out of $wine\.$" \
    "$links" remove
check "all is as it was before" before

#
# What fails half-way
#

# A step that ln or mv makes may fail, or a signal may come after it.
mkdir "$work/bin"
for program in ln mv rm; do
    printf '%s\n' '#!/bin/sh' "program=$(command -v "$program")" 'echo >>"$STEPS"' \
        '[ "$(wc -l <"$STEPS")" != "$STEP" ] || {' \
        '    [ "$HOW" = fail ] || "$program" "$@"' \
        '    [ "$HOW" = fail ] || kill -TERM "$PPID"' \
        '    exit 1' \
        '}' 'exec "$program" "$@"' >"$work/bin/$program"
    chmod +x "$work/bin/$program"
done

interrupted()
{
    : >"$work/steps"
    prints "$1" "" env PATH="$work/bin:$PATH" STEPS="$work/steps" STEP="$2" HOW="$3" \
        "$links" "$4" "$wine"
}

for step in 1 3 6; do
    check "add whose step $step fails" interrupted 1 "$step" fail add
    check "says so" grep -q "^tawny-wine-links: .* cannot be changed" "$work/output"
    check "and all is as it was before" before
    check "add that is ended after step $step" interrupted 143 "$step" end add
    check "and all is as it was before" before
done
check "add" prints 0 "^Linked" "$links" add "$wine"
describe "$work/usr" >"$work/linked"
for step in 1 3 6; do
    check "remove whose step $step fails" interrupted 1 "$step" fail remove
    check "says so" grep -q "^tawny-wine-links: .* cannot be changed" "$work/output"
    check "and all is as it was before" same_as "$work/linked" "$work/usr"
    check "remove that is ended after step $step" interrupted 143 "$step" end remove
    check "and all is as it was before" same_as "$work/linked" "$work/usr"
done
make_tawny "$work/other"
check "another Tawny has linked itself" prints 0 "^Linked" "$other" add "$wine"
describe "$work/usr" >"$work/linked"
for step in 1 2 3 4; do
    check "replacing its links, whose step $step fails" interrupted 1 "$step" fail add
    check "and all is as it was before" same_as "$work/linked" "$work/usr"
done
rm -r "$work/other"
check "remove" prints 0 "^Took" "$links" remove
check "all is as it was before" before

# By somebody who may not.
as_other()
{
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
    else
        "$@"
    fi
}
chmod a-w "$wine/x86_64-unix"
check "add by somebody who may not write there" refuses 1 "you may not write to $wine/x86_64-" \
    as_other "$links" add "$wine"
chmod u+w "$wine/x86_64-unix"
check "all is as it was before" before

rm "$library/x86_64-windows/portpool.dll"
check "add where Tawny is not complete" refuses 1 "lacks x86_64-windows/portpool.dll" "$links" add
check "all is as it was before" before

finish
