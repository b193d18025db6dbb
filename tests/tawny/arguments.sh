#!/bin/sh
# tools/tawny: wrong arguments, and prefixes that will not do
#
# Copyright 2026 the Tawny authors
# SPDX-License-Identifier: LGPL-2.1-or-later

# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

prefix=$work/prefix
make_look_alike "$prefix"
export WINEPREFIX="$prefix"

check "--help" prints 0 "^Usage: tawny COMMAND" "$tawny" --help
check "--version" prints 0 "^tawny [0-9]" "$tawny" --version
for command in setup run remove doctor; do
    check "$command --help" prints 0 "^Usage: tawny $command" "$tawny" "$command" --help
done

check "no command" refuses 2 "no command" "$tawny"
check "an unknown command" refuses 2 "no command fly" "$tawny" fly
check "an unknown option" refuses 2 "no command --fly" "$tawny" --fly
for command in remove doctor; do
    check "$command with an argument" refuses_and_keeps "$prefix" 2 "takes no arguments" \
        "$tawny" "$command" now
done
check "run without a program" refuses 2 "needs a program" "$tawny" run
for arguments in now "--always now" --never -always "--always --always"; do
    # shellcheck disable=SC2086
    check "setup $arguments" refuses_and_keeps "$prefix" 2 "see tawny setup --help" "$tawny" setup $arguments
done
check "run -- without a program" refuses 2 "needs a program" "$tawny" run --
check "run with an option" refuses 2 "no option --fast" "$tawny" run --fast reserve.exe

check "run in a prefix without Tawny" refuses_and_keeps "$prefix" 1 "run tawny setup" \
    "$tawny" run reserve.exe
check "remove in a prefix without Tawny" prints 0 "nothing to remove" "$tawny" remove
check "doctor in a prefix without Tawny" prints 1 "^wrong  Tawny in the prefix: not there" \
    "$tawny" doctor

absent=$work/absent
for command in "run reserve.exe" remove; do
    # shellcheck disable=SC2086
    check "$command in a prefix that does not exist" refuses 1 "does not exist" \
        env WINEPREFIX="$absent" "$tawny" $command
done
check "doctor of a prefix that does not exist" prints 1 "does not exist; make it with tawny setup" \
    env WINEPREFIX="$absent" "$tawny" doctor
check "nothing has been made there" [ ! -e "$absent" ]
check "setup where there is no directory for the prefix" refuses 1 "cannot be made" \
    env WINEPREFIX="$absent/prefix" "$tawny" setup
check "nothing has been made there either" [ ! -e "$absent" ]

# Prefixes that no command takes.
: >"$work/file"
mkdir -p "$work/plain/directory" "$work/a:b"
if [ "$(id -u)" = 0 ]; then
    foreign=$work/foreign
    make_look_alike "$foreign"
    chown 65534 "$foreign"
else
    foreign=/usr
fi
for command in setup "run reserve.exe" remove; do
    # shellcheck disable=SC2086
    {
        check "$command in a file" refuses 1 "is not a directory" \
            env WINEPREFIX="$work/file" "$tawny" $command
        check "$command in a directory that is no prefix" refuses_and_keeps "$work/plain" \
            1 "is not a Wine prefix" env WINEPREFIX="$work/plain" "$tawny" $command
        check "$command in somebody else's prefix" refuses 1 "belongs to" \
            env WINEPREFIX="$foreign" "$tawny" $command
        check "$command in a prefix with a colon" refuses 1 "has a colon" \
            env WINEPREFIX="$work/a:b" "$tawny" $command
        check "$command without WINEPREFIX and HOME" refuses 1 "set WINEPREFIX" \
            env -u WINEPREFIX -u HOME "$tawny" $command
    }
done
for bad in "$work/file" "$work/plain" "$foreign"; do
    check "doctor of ${bad#"$work"/}" prints 1 "^wrong  prefix: " env WINEPREFIX="$bad" "$tawny" doctor
done

# Nothing can be run in these.
make_wine_look_alike "$work/wine" lib/wine
export WINE="$work/wine/bin/wine"
check "setup of a new 32-bit prefix with a 64-bit Wine" refuses 1 "is a 64-bit Wine, and" \
    env WINEPREFIX="$absent" WINEARCH=win32 "$tawny" setup
check "and nothing has been made" [ ! -e "$absent" ]
make_look_alike "$work/old"
sed -i s/win64/win32/ "$work/old/system.reg"
check "setup of a 32-bit prefix with a 64-bit Wine" refuses_and_keeps "$work/old" \
    1 "is a 64-bit Wine, and" env WINEPREFIX="$work/old" "$tawny" setup
check "doctor says so" prints 1 "^wrong  Wine: .* is a 64-bit Wine, and" \
    env WINEPREFIX="$work/old" "$tawny" doctor
mkdir "$work/home" && make_look_alike "$work/home/.wine"
check "the default prefix is .wine in HOME" prints 0 "into $work/home/.wine\." \
    env -u WINEPREFIX HOME="$work/home" "$tawny" setup
make_look_alike "$work/two words"
check "a prefix may be given relative to the directory" prints 0 "into $work/two words\." \
    env -C "$work" WINEPREFIX="two words/" "$tawny" setup
check "and have spaces in its name" prints 0 "^Took" env WINEPREFIX="$work/two words" "$tawny" remove

# Whatever cannot be done leaves the prefix as it is.
describe "$prefix" >"$work/before"
check "setup without a place for temporary files" prints 1 "^tawny: no temporary file can be made; set TMPDIR" \
    env TMPDIR="$work/none" "$tawny" setup
check "has put back what it had put in" same_as "$work/before" "$prefix"
ln -s "$work/none" "$work/nowhere"
for command in setup "run reserve.exe" remove; do
    # shellcheck disable=SC2086
    check "$command in a link that leads nowhere" refuses 1 "is not a directory" \
        env WINEPREFIX="$work/nowhere" "$tawny" $command
done
newline=$(printf '%s\nlines' "$work/two")
make_look_alike "$newline"
check "a prefix may have two lines in its name" prints 0 "^Put" env WINEPREFIX="$newline" "$tawny" setup
check "and run programs" prints 42 "program.exe" env WINEPREFIX="$newline" "$tawny" run program.exe
check "and be as before" prints 0 "^Took" env WINEPREFIX="$newline" "$tawny" remove

# A setup that another has begun.
"$tawny" setup >/dev/null
mkdir "$prefix/.tawny-undo"
exec 8<"$prefix"
flock 8
check "run while another tawny is at work" refuses_and_keeps "$prefix" 1 "another tawny is at work" \
    "$tawny" run reserve.exe
exec 8<&-
check "and when it has been killed" refuses_and_keeps "$prefix" 1 "not finished; run tawny setup" \
    "$tawny" run reserve.exe
"$tawny" setup >/dev/null
"$tawny" remove >/dev/null

mkdir "$prefix/tawny"
echo "mine" >"$prefix/tawny/file"
check "setup where something else is called tawny" refuses_and_keeps "$prefix" 1 "in the way" \
    "$tawny" setup
finish
