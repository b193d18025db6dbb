#!/bin/sh
# tools/tawny: what takes long says on a terminal that it is at work
#
# Copyright 2026 the Tawny authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Functions are called by way of check; what is in single quotes is for another shell.
# shellcheck disable=SC2016,SC2317

# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

command -v script >/dev/null || {
    echo "$suite: there is no script; install the Debian package bsdutils." >&2
    exit 1
}

prefix=$work/prefix
export WINEPREFIX="$prefix"
make_wine_look_alike "$work/wine" lib/wine
link_tawny_into "$work/wine/lib/wine"
export WINE="$work/wine/bin/wine"

# From now on, this Wine takes its time, except for saying what it is; and it can make a prefix.
mv "$WINE" "$work/wine/bin/quick"
cat >"$WINE" <<'EOS'
#!/bin/sh
[ "$1" = --version ] || sleep "${PATIENCE-6}"
if [ "$1" = wineboot ]; then
    mkdir -p "$WINEPREFIX/drive_c/windows/system32"
    printf 'WINE REGISTRY Version 2\n\n#arch=win64\n' >"$WINEPREFIX/system.reg"
    : >"$WINEPREFIX/drive_c/windows/system32/kernel32.dll"
    exit
fi
exec "${0%/*}/quick" "$@"
EOS
chmod +x "$WINE"
# The quick one finds its list of entries beside itself.
wineserver=$work/wine/bin/wineserver

# Runs a command on a terminal; what that shows stays in $work/shown, a line each time it begins one anew.
on_terminal()
{
    printf '%s\n' "$@" >"$work/command"
    script -qec "sh -c 'while read -r word; do set -- \"\$@\" \"\$word\"; done <\"$work/command\"; exec \"\$@\"'" \
        "$work/typescript" </dev/null >"$work/output" 2>&1
    code=$?
    tr '\r' '\n' <"$work/output" >"$work/shown"
    cat "$work/shown"
    [ "$code" = "$wanted" ]
}

# Whether seconds have been counted from two on, under this heading.
counts()
{
    cat "$work/shown"
    grep -qx "$1: 2 s " "$work/shown" && grep -qx "$1: 3 s " "$work/shown"
}

wanted=0
check "setup that makes a prefix, on a terminal" on_terminal "$tawny" setup
check "says that it makes it" counts "Making the prefix $prefix"
check "and that it starts it" counts "Starting the prefix $prefix"
check "and in the end what it has done, on a line of its own" grep -q "^Put Tawny" "$work/shown"
check "setup --always" on_terminal "$tawny" setup --always
check "says so" counts "Starting the prefix $prefix"
check "remove" on_terminal "$tawny" remove
check "says so" counts "Starting the prefix $prefix"

check "without a terminal, nothing of it is said" prints 0 "^Put" "$tawny" setup
check "that is" [ "$(wc -l <"$work/output")" = 1 ]

# Where the prefix runs, Wine must be asked.
printf '#!/bin/sh\nexit 0\n' >"$wineserver"
wanted=1
check "doctor, on a terminal" on_terminal "$tawny" doctor
check "says that it looks further" counts "Looking further"
check "and all its lines are whole" sh -c '! grep -v -e "^ok     [^ ]" -e "^wrong  [^ ]" -e "^Looking further: [0-9]* s \$" -e "^\$" "$1"' \
    sh "$work/shown"
check "without a terminal, it says nothing of that" sh -c '! "$1" doctor 2>&1 | grep Looking' sh "$tawny"

# An end from without must not leave the counting behind.
export PATIENCE=1000
kill_on_terminal()
{
    wanted=137
    on_terminal sh -c '"$1" doctor & sleep 6; kill -KILL $!; sleep 3; echo; echo "-- afterwards"; sleep 3; exit 137' sh "$tawny"
    ! sed '1,/^--/d' "$work/shown" | grep "Looking further"
}
check "a doctor that is killed counts no further" kill_on_terminal
finish
