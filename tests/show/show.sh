#!/bin/sh
# Tests of tawny show, with programs that have ports in a prefix, and where nothing runs
#
# Copyright 2026 the Tawny authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# In a network of its own, if that can be had: its ports are nobody else's. Functions are called by way
# of check; what is in single quotes is for jq or another shell.
# shellcheck disable=SC2016,SC2317

# An ordinary user is root there just long enough to set it up.
if [ -z "${TAWNY_NAMESPACE:-}" ]; then
    export TAWNY_NAMESPACE=new
    if unshare --net true 2>/dev/null; then
        exec unshare --net sh "$0" "$@"
    elif unshare --user --map-current-user --net --keep-caps true 2>/dev/null; then
        exec unshare --user --map-current-user --net --keep-caps sh -c 'ip link set lo up
            exec setpriv --ambient-caps=-all --inh-caps=-all --bounding-set=-all sh "$0" "$@"' "$0" "$@"
    fi
fi
[ "$(id -u)" != 0 ] || [ "$TAWNY_NAMESPACE" != new ] || ip link set lo up

# shellcheck source-path=SCRIPTDIR/../tawny source=common.sh
. "$(dirname "$0")/../tawny/common.sh"

suite=show
actor=$build/x86_64-windows/actor.exe
prefix=$work/prefix
export WINEPREFIX="$prefix"
export LC_ALL=C.UTF-8 TERM=xterm
unset NO_COLOR COLUMNS
escape=$(printf '\033')

show()
{
    "$tawny" show "$@"
}

# Whether what jq makes of the JSON is true; what it is about can be given by --arg before.
holds()
{
    if ! show --json >"$work/json" 2>"$work/errors" || [ -s "$work/errors" ]; then
        cat "$work/errors"
        return 1
    fi
    cat "$work/json"
    jq -e "$@" "$work/json" >/dev/null
}

# The like of a file, which some versions of jq take for true when it is empty.
is_true()
{
    file=$1
    shift
    cat "$file"
    [ -s "$file" ] && jq -e "$@" "$file" >/dev/null
}

# As holds, once it is so.
holds_soon()
{
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        ! holds "$@" || return 0
        sleep 1
    done
    return 1
}

# Starts a program and waits until it is ready; sets job, and windows to the number that an actor says it
# has. The job need not be the actor: some Wines start it as another process.
start()
{
    : >"$work/said"
    "$@" >"$work/said" 2>&1 &
    job=$!
    for _ in $(seq 300); do
        windows=$(sed -n 's/^process \([0-9]*\).*/\1/p' "$work/said" | head -n 1)
        if grep -q '^ready' "$work/said"; then return 0; fi
        if ! kill -0 "$job" 2>/dev/null; then break; fi
        sleep 0.1
    done
    cat "$work/said"
    return 1
}

# The host's number of a process, as the last JSON has it.
host_of()
{
    jq -r --argjson windows "$1" 'first(.. | objects | select(.windows_pid? == $windows) | .pid)' "$work/json"
}

stop()
{
    kill -KILL "$1"
    wait "$1" 2>/dev/null
    return 0
}

end_prefix()
{
    wineserver_of "$prefix" -k
    wineserver_of "$prefix" -w
}

# Ends all of a prefix's processes, its wineserver before it can save anything.
kill_prefix()
{
    kill -KILL "$(server_pid)" || return 1
    for process in /proc/[0-9]*; do
        ! (tr '\0' '\n' <"$process/environ" | grep -qxF "WINEPREFIX=$prefix" &&
            tr '\0' ' ' <"$process/cmdline" | grep -qi '\.exe') 2>/dev/null ||
            kill -KILL "${process#/proc/}"
    done
    for _ in $(seq 100); do
        wineserver_of "$prefix" -k0 || return 0
        sleep 0.1
    done
    return 1
}

# The wineserver works in a directory that is named after the prefix's.
server_pid()
{
    name=$(printf 'server-%x-%x' "$(stat -c %d "$prefix")" "$(stat -c %i "$prefix")")
    for process in /proc/[0-9]*; do
        case $(readlink "$process/cwd" 2>/dev/null) in
        */"$name") echo "${process#/proc/}" ;;
        esac
    done
}

# A native program that has a TCP port, and is called holder.
native()
{
    exec perl -MIO::Socket::INET -e '
        $0 = "holder";
        my $socket = IO::Socket::INET->new(LocalPort => $ARGV[0], Listen => 1, ReusePort => $ARGV[1])
            or die "$!\n";
        $| = 1;
        print "ready\n";
        sleep 1000' "$@"
}

# Lines are no wider, and the map is as wide as it goes.
fits()
{
    # Not every awk knows characters of several bytes.
    sed "s/$escape\[[0-9;]*m//g; s/[█▌▐·]/#/g" "$1" | tr -d '\r' >"$work/plain"
    cat "$work/plain"
    awk -v width="$2" -v map="$3" '
        { length_ = length($0); if (length_ > width) wide++; if (length_ == map) rows++ }
        END { print wide + 0, "too wide,", rows + 0, "of the map"; exit wide || rows < 8 }' "$work/plain"
}

# On a terminal of so many columns.
on_terminal()
{
    columns=$1
    shift
    script -qec "stty cols $columns; $*" /dev/null >"$work/terminal" </dev/null
}

# Nothing in the prefix changes, nor does anything start.
leaves_alone()
{
    (cd "$prefix" && find . -printf '%p %s %T@ %C@ %i\n' | LC_ALL=C sort) >"$work/before"
    "$@" >"$work/output" 2>&1 </dev/null || return 1
    if wineserver_of "$prefix" -k0; then
        echo "a wineserver runs"
        return 1
    fi
    (cd "$prefix" && find . -printf '%p %s %T@ %C@ %i\n' | LC_ALL=C sort) | diff "$work/before" -
}

#
# Where there is nothing to show
#

check "show: a prefix that does not exist" refuses 1 "does not exist; set WINEPREFIX to one" show
: >"$work/file"
check "show: a file" refuses 1 "is not a directory" env WINEPREFIX="$work/file" "$tawny" show
mkdir "$work/empty"
check "show: a directory that is no prefix" refuses 1 "is not a Wine prefix, as it has no system.reg" \
    env WINEPREFIX="$work/empty" "$tawny" show
check "also with --json, and prints no half of it" refuses 1 "is not a Wine prefix" \
    env WINEPREFIX="$work/empty" "$tawny" show --json
echo "not the registry" >"$work/empty/system.reg"
check "show: another file for a registry" refuses 1 "is not the registry of a Wine prefix" \
    env WINEPREFIX="$work/empty" "$tawny" show
rm "$work/empty/system.reg" && mkdir "$work/empty/system.reg"
check "show: a directory for a registry" refuses 1 "cannot be read" env WINEPREFIX="$work/empty" "$tawny" show
rmdir "$work/empty/system.reg" && mkfifo "$work/empty/system.reg"
check "show: a pipe for a registry, without waiting" refuses 1 "cannot be read" \
    env WINEPREFIX="$work/empty" timeout 20 "$tawny" show
check "show does not take a word" refuses 2 "show does not take ports" show ports
check "show has no other option" refuses 2 "show does not take --yaml" show --yaml
check "show: one protocol or both" refuses 2 "takes --tcp or --udp, not both" show --tcp --json --udp
check "show --help" prints 0 "^Usage: tawny show \[--json\]" show --help
check "tawny --help names it" prints 0 "^  show " "$tawny" --help

make_look_alike "$work/alike"
check "show: a prefix without Tawny" prints 0 "^State   Tawny is not in it: .* run tawny setup" \
    env WINEPREFIX="$work/alike" "$tawny" show
check "show: no ports" prints 0 "^No ports are reserved" env WINEPREFIX="$work/alike" "$tawny" show

make_wine_look_alike "$work/wine" lib/wine
printf '#!/bin/sh\nexit 0\n' >"$work/wine/bin/wineserver"
check "show: a running prefix that cannot be asked" refuses 1 "cannot be asked; see tawny doctor" \
    env WINE="$work/wine/bin/wine" WINEPREFIX="$work/alike" "$tawny" show
check "also with --json, and prints no half of it" refuses 1 "cannot be asked" \
    env WINE="$work/wine/bin/wine" WINEPREFIX="$work/alike" "$tawny" show --json

#
# A prefix that does not run
#

check "setup" "$tawny" setup
end_prefix
check "show: not running" leaves_alone show
check "says so" grep -q "^State   not running" "$work/output"
check "with --json, too" leaves_alone show --json
check "which is an object" is_true "$work/output" '.version == 1 and .state == "stopped" and .holder == null and
    .ranges == [] and .ignored == []'
check "with the prefix" is_true "$work/output" --arg prefix "$prefix" '.prefix == $prefix'

#
# Programs that have ports
#

check "a program makes ranges, and draws from one" start "$tawny" run "$actor" create udp 40100 5 \
    create tcp 40000 20 draw tcp draw tcp
first=$windows
check "another has a block, and a port by number" start "$tawny" run "$actor" acquire tcp 45000 100 \
    draw tcp acquire udp 45200 10 draw udp bind tcp 40005 bind udp 40102
second=$windows

check "the state" holds '.state == "running"'
check "the holder" holds '.holder.name == "svchost.exe" and .holder.windows_pid > 0'
holder=$(jq .holder.pid "$work/json")
check "is the process that it is" grep -qi svchost "/proc/$holder/cmdline"
first_host=$(host_of "$first")
second_host=$(host_of "$second")
check "so is the first program" sh -c 'tr "\\0" " " <"$1" | grep "actor.exe create udp 40100"' sh \
    "/proc/$first_host/cmdline"
check "and the second" sh -c 'tr "\\0" " " <"$1" | grep "actor.exe acquire tcp 45000"' sh \
    "/proc/$second_host/cmdline"
check "four ranges, in order" holds '[.ranges[] | [.protocol, .start, .count, .kind, .held]] ==
    [["tcp", 40000, 20, "persistent", true], ["tcp", 45000, 100, "runtime", true],
     ["udp", 40100, 5, "persistent", true], ["udp", 45200, 10, "runtime", true]]'
check "who holds them" holds --argjson holder "$holder" --argjson second "$second_host" \
    '[.ranges[].holder.pid] == [$holder, $second, $holder, $second]'
check "who uses them" holds --argjson first "$first" --argjson second "$second" \
    '[.ranges[] | .uses[] | [.port, .program.windows_pid, .program.name]] ==
     [[40000, $first, "actor.exe"], [40001, $first, "actor.exe"], [40005, $second, "actor.exe"],
      [45000, $second, "actor.exe"], [40102, $second, "actor.exe"], [45200, $second, "actor.exe"]]'
check "by its path" holds '.ranges[0].uses[0].program.path | endswith("\\actor.exe")'
check "how many of each" holds '[.ranges[].used] == [3, 1, 1, 1]'
show --json --tcp >"$work/json"
check "TCP alone" is_true "$work/json" '[.ranges[].protocol] == ["tcp", "tcp"]'
show --json --udp >"$work/json"
check "UDP alone" is_true "$work/json" '[.ranges[].protocol] == ["udp", "udp"]'

check "the table" prints 0 "^tcp  *40000-40019  *20  persistent  PortPool ($holder)  *3$" show
check "names a program and its ports" grep -qx "    actor.exe ($first_host): 40000-40001" "$work/output"
check "and those of another" grep -qx "    actor.exe ($second_host): 40005" "$work/output"
check "the block" grep -q "^tcp  *45000-45099  *100  runtime  *actor.exe ($second_host)  *1$" "$work/output"
check "the state" grep -qx "State   running; the service PortPool ($holder) holds persistent ranges" \
    "$work/output"
check "the map" grep -qx "  40960 \.\{31\}Rr\.\{31\}" "$work/output"
check "what its signs are" grep -q "\. nothing  p persistent  r runtime  ABC in use" "$work/output"

#
# What it is written to
#

check "no colours in a pipe, and no more than 80 columns" fits "$work/output" 80 72
check "which is plain text" sh -c '! LC_ALL=C grep -q "[^ -~]" "$1"' sh "$work/output"
check "whatever COLUMNS says" sh -c 'COLUMNS=200 "$1" show | cmp - "$2"' sh "$tawny" "$work/output"
for row in "40 40" "79 72" "80 72" "120 72" "136 136" "200 136"; do
    columns=${row% *}
    on_terminal "$columns" "$tawny" show
    check "colours on a terminal of $columns columns" grep -q "$escape\[" "$work/terminal"
    check "drawn with blocks" grep -q "█\|▌\|▐" "$work/terminal"
    check "that fits it" fits "$work/terminal" "$columns" "${row#* }"
done
on_terminal 100 env NO_COLOR=1 "$tawny" show
check "NO_COLOR" sh -c '! grep -q "$1" "$2"' sh "$escape" "$work/terminal"
check "draws with letters" grep -q "\.R\." "$work/terminal"
on_terminal 100 env NO_COLOR= "$tawny" show
check "NO_COLOR without a value means nothing" grep -q "$escape\[" "$work/terminal"
on_terminal 100 env TERM=dumb "$tawny" show
check "a dumb terminal has no colours" sh -c '! grep -q "$1" "$2"' sh "$escape" "$work/terminal"
on_terminal 100 env LC_ALL=C "$tawny" show
check "without UTF-8 there are colours" grep -q "$escape\[" "$work/terminal"
check "and nothing but ASCII" sh -c '! tr -d "$1\r" <"$2" | LC_ALL=C grep -q "[^ -~]"' sh "$escape" \
    "$work/terminal"
on_terminal 100 "$tawny" show --json
tr -d '\r' <"$work/terminal" >"$work/json"
check "JSON has no colours" is_true "$work/json" '.version == 1'
check "a full disk is noticed" sh -c '! "$1" show >/dev/full 2>"$2" && grep "cannot be written" "$2"' sh \
    "$tawny" "$work/errors"

#
# Programs come and go
#

check "a third has its socket open in a child, too" start "$tawny" run "$actor" lookup tcp 40000 20 \
    draw tcp share
third=$windows
child=$(sed -n 's/^child \([0-9]*\).*/\1/p' "$work/said")
check "both have the port" holds --argjson third "$third" --argjson child "$child" \
    '[.ranges[0].uses[] | select(.port == 40002) | .program] |
     length == 2 and any(.[]; .windows_pid == $third) and any(.[]; .windows_pid == $child)'
kill -KILL "$(host_of "$third")"
check "the child keeps it" holds_soon --argjson child "$child" \
    '[.ranges[0].uses[] | select(.port == 40002) | .program.windows_pid] == [$child]'
kill -KILL "$second_host"
check "a killed program's block is gone" holds_soon '[.ranges[] | .kind] == ["persistent", "persistent"]'
check "and what it had of ranges" holds '[.ranges[] | .uses[] | .port] == [40000, 40001, 40002]'

# A native program may share a port of a range, if it wants to.
check "a native program shares a port" start native 40007 1
neighbour=$job
check "and is shown as one" holds --argjson pid "$neighbour" \
    '.ranges[0].uses[] | select(.port == 40007) |
     .program == {name: "holder", path: null, pid: $pid, windows_pid: null} and (.in_the_way | not)'
check "in the table, too" prints 0 "^    holder ($neighbour), a native program: 40007$" show
stop "$neighbour"

#
# Nothing is disturbed
#

server=$(server_pid)
descriptors()
{
    find "/proc/$server/fd" -mindepth 1 2>/dev/null | wc -l
}

keeps_descriptors()
{
    # What a program that has ended leaves is closed a little later.
    sleep 2
    before=$(descriptors)
    for _ in 1 2 3 4 5; do show >/dev/null || return 1; done
    for _ in $(seq 50); do
        after=$(descriptors)
        if [ "$after" -le "$before" ]; then return 0; fi
        sleep 0.2
    done
    echo "$before descriptors before, $after after"
    return 1
}

check "the wineserver has no more open than before" keeps_descriptors
kill -STOP "$holder"
check "a holder that does not answer is not waited for" timeout 60 "$tawny" show --json
check "and still holds" holds '[.ranges[].held] == [true, true]'
kill -CONT "$holder"

#
# What stands in the registry and is no range, running and not
#

nsi='HKLM\System\CurrentControlSet\Control\Nsi'
add_value()
{
    "$tawny" run reg add "$nsi\\{eb004a03-9b1a-11d4-9123-0050047759bc}\\29" /v "$1" /t "$2" /d "$3" /f
}

check "a value without sense" add_value nonsense REG_BINARY 1200ffff
check "one of another type" add_value 50c30100 REG_SZ 1200ffff
check "one that overlaps" add_value 9c450100 REG_BINARY 1200ffff
check "and one in order" add_value 9c640200 REG_BINARY 1200ffff
judged='[.ranges[] | [.protocol, .start, .count]] ==
    [["tcp", 40000, 20], ["tcp", 40036, 2], ["udp", 40100, 5]] and
    (.ignored | sort_by(.value, .start)) ==
    [{protocol: "tcp", value: null, start: 40005, count: 1, overlaps: {start: 40000, count: 20}},
     {protocol: "tcp", value: "50c30100", start: null, count: null, overlaps: null},
     {protocol: "tcp", value: "nonsense", start: null, count: null, overlaps: null}]'
check "are judged as the holder does" holds_soon "$judged and all(.ranges[]; .held)"
check "the table says which are ignored" prints 0 "^    tcp value \"nonsense\": makes no sense" show
check "and why" grep -qx "    tcp 40005: overlaps 40000-40019" "$work/output"
end_prefix
check "and the same without Wine" leaves_alone show --json
cp "$work/output" "$work/json"
check "from the file" is_true "$work/json" "$judged and all(.ranges[]; .held == false)"
check "in the table" prints 0 "^tcp  *40000-40019  *20  persistent  nobody  *0$" show

#
# Ranges that end with the prefix
#

netsh()
{
    "$tawny" run netsh interface ipv4 "$@"
}

check "the prefix starts" start "$tawny" run "$actor" wait
check "a range until the prefix ends" netsh add excludedportrange tcp 46000 10 active
check "is active" holds_soon '.ranges[] | select(.start == 46000) | .kind == "active" and .held'
check "in the table, too" prints 0 "^tcp  *46000-46009  *10  active  *PortPool ([0-9]*)  *0$" show
check "a stored range is taken away until then" netsh delete excludedportrange tcp 40036 2 active
check "is suspended" holds_soon '.ranges[] | select(.start == 40036) | .kind == "suspended" and (.held | not)'
check "which the table says" prints 0 "^tcp  *40036-40037  *2  suspended  *nobody  *0$" show
check "and the map" grep -q "n not held" "$work/output"
end_prefix
check "both are over with it" holds '[.ranges[] | [.start, .kind]] ==
    [[40000, "persistent"], [40036, "persistent"], [40100, "persistent"]]'

#
# A native program in the way
#

check "a native program takes a port while nobody holds it" start native 40003 0
neighbour=$job
check "which is seen without Wine" holds --argjson pid "$neighbour" \
    '.state == "stopped" and (.ranges[0].uses | map([.port, .program.pid])) == [[40003, $pid]]'
check "the prefix starts" start "$tawny" run "$actor" wait
check "and does not hold it" holds_soon --argjson pid "$neighbour" '.ranges[0].held and
    (.ranges[0].uses | map([.port, .program.pid, .in_the_way])) == [[40003, $pid, true]]'
check "as the table says" prints 0 \
    "^    holder ($neighbour), a native program: 40003, held as soon as free$" show
stop "$neighbour"
check "until it is free" holds_soon '.ranges[0].uses == []'

#
# The holder does not run, or cannot
#

check "the service is stopped" "$tawny" run net stop PortPool
check "nobody holds ranges" holds '.state == "running" and .holder == null and
    all(.ranges[]; .held == false and .holder == null)'
check "what to do about it" prints 0 "start it with tawny run net start PortPool$" show
end_prefix

plain_wine()
{
    exec "${WINE:-wine}" "$@"
}

check "the prefix is started without Tawny" start plain_wine "$actor" bind tcp 40004
check "which is not hidden" holds '.state == "started-without-tawny" and .holder == null and
    all(.ranges[]; .held == false)'
check "nor is who has a port" holds '.ranges[0].uses | map([.port, .program.name]) == [[40004, "actor.exe"]]'
check "what to do about it" prints 0 "^State   running, but started without Tawny" show
end_prefix

#
# What Wine has not saved
#

check "a range is made and one deleted" "$tawny" run "$actor" create tcp 41000 30 delete udp 40100 5 end
check "the wineserver is killed before it saves" kill_prefix
check "the file does not have it" sh -c '! grep -q "\"a0281e00\"" "$1"' sh "$prefix/system.reg"
check "the journal does" grep -q "add tcp 41000 30" "$prefix/portpool.journal"
check "and both together are shown" holds '.state == "stopped" and [.ranges[] | [.protocol, .start]] ==
    [["tcp", 40000], ["tcp", 40036], ["tcp", 41000]]'
check "what is torn in it is nothing" sh -c 'printf "9 add tcp 42000 1 0000" >>"$1"' sh \
    "$prefix/portpool.journal"
check "and not mended" leaves_alone show --json
check "the same is shown" is_true "$work/output" '[.ranges[].start] == [40000, 40036, 41000]'

#
# Prefixes that one may read only
#

# Even root may not write then.
read_only()
{
    chmod -R a-w "$prefix"
    if [ "$(id -u)" = 0 ]; then set -- setpriv --bounding-set=-dac_override; else set -- env; fi
    code=0
    "$@" sh -c '! touch "$1/file" 2>/dev/null && exec "$2" show --json' sh "$prefix" "$tawny" || code=1
    chmod -R u+w "$prefix"
    return "$code"
}

check "a prefix that cannot be written to" read_only
cp "$work/check.log" "$work/json"
check "is shown" is_true "$work/json" '[.ranges[].start] == [40000, 40036, 41000]'
if [ "$(id -u)" = 0 ]; then
    as_nobody()
    {
        setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
    }
    # What nobody may run: the build directory may be out of nobody's reach.
    mkdir "$work/tree"
    tar -C "$build" --exclude=obj -cf - config.status tools/tawny x86_64-windows x86_64-unix \
        i386-windows i386-unix | tar -C "$work/tree" -xf -
    elsewhere=$work/tree/tools/tawny
    chmod -R a+rX "$prefix" "$work/tree"
    chmod 755 "$work"
    check "another user's" sh -c 'shift; "$@" >"$0"' "$work/json" x \
        setpriv --reuid=65534 --regid=65534 --clear-groups "$elsewhere" show --json
    check "is shown, for what can be known" is_true "$work/json" '.state == "another-user" and
        [.ranges[] | [.start, .held]] == [[40000, null], [40036, null], [41000, null]]'
    check "in the table" prints 0 "not known" as_nobody "$elsewhere" show
    chmod 600 "$prefix/system.reg"
    check "but one that may not be read is not" refuses 1 "you may not read .*/system.reg; change" \
        as_nobody "$elsewhere" show
    chmod 644 "$prefix/system.reg"
    chmod 000 "$prefix/portpool.journal"
    chmod 700 "$prefix"
    check "nor one whose directory may not" refuses 1 "you may not read .*/prefix; change" \
        as_nobody "$elsewhere" show
    chmod 755 "$prefix"
    check "nor one whose journal may not be read" refuses 1 "^tawny: portpool.journal of .* cannot be read" \
        as_nobody "$elsewhere" show
    chmod 600 "$prefix/portpool.journal"
else
    chmod 000 "$prefix/system.reg"
    check "one that may not be read is not" refuses 1 "you may not read .*/system.reg; change" show
    chmod 644 "$prefix/system.reg"
fi
check "without any Wine" env WINE="$work/none" "$tawny" show --json
cp "$work/check.log" "$work/json"
check "what is stored is shown" is_true "$work/json" '.state == "no-wine" and all(.ranges[]; .held == null)'
check "Tawny is taken out" "$tawny" remove
end_prefix
check "what is stored is shown still" holds '.state == "without-tawny" and (.ranges | length) == 3 and
    all(.ranges[]; .held == false)'
check "the prefix runs without it" start plain_wine "$actor" bind tcp 40036
check "is shown as it is" holds '.state == "without-tawny" and .holder == null and
    (.ranges | length) == 3 and all(.ranges[]; .held == false)'
end_prefix

finish
