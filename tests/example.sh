#!/bin/sh
# Tests of the example programs, of what they show of the calls, and of what is traced
#
# Copyright 2026 the Tawny authors
# SPDX-License-Identifier: LGPL-2.1-or-later

# shellcheck source=tests/tawny/common.sh
. "$(dirname "$0")/tawny/common.sh"

export WINEPREFIX="$work/prefix"
program=$build/x86_64-windows/reserve.exe

reserve()
{
    "$tawny" run "$program" "$@" 2>&1 | tr -d '\r'
}

# The example's steps, all of them, in order; the ports and the port drawn must fit the arguments.
all_steps()
{
    reserve "$@" >"$work/output"
    cat "$work/output"
    awk -v start="$start" -v count="$count" '
        NR == 1 && /^socket, for the block succeeded$/ { good++ }
        NR == 2 && /^SIO_ACQUIRE_PORT_RESERVATION succeeded: ports [0-9]+ to [0-9]+, token [0-9a-f]+$/ {
            first = $4; last = $6 + 0
            if ((start == 0 || first == start) && last == first + count - 1) good++
        }
        NR == 3 && /^socket, for the port succeeded$/ { good++ }
        NR == 4 && /^SIO_ASSOCIATE_PORT_RESERVATION succeeded$/ { good++ }
        NR == 5 && /^bind to port 0 succeeded: port [0-9]+$/ && $NF >= first && $NF <= last { good++ }
        NR == 6 && /^SIO_RELEASE_PORT_RESERVATION succeeded$/ { good++ }
        END { exit good != 6 || NR != 6 }' "$work/output"
}

persist()
{
    "$tawny" run "$build/x86_64-windows/persist.exe" "$@" 2>&1 | tr -d '\r'
}

# The steps of persist, those of a regular expression and no others, in order; all tokens must be the
# same, and all ports drawn different ones of the range.
persist_steps()
{
    wanted=$1
    shift
    persist "$@" >"$work/output"
    cat "$work/output"
    steps=$(awk -v start="$2" -v count="$3" '
        /^CreatePersistent(Tcp|Udp)PortReservation succeeded: ports [0-9]+ to [0-9]+, token [0-9a-f]+$/ {
            if ($4 != start || $6 + 0 != start + count - 1 || $8 ~ /^0+$/) print "bad"
            token = $8
            print "create"
            next
        }
        /^LookupPersistent(Tcp|Udp)PortReservation succeeded: token [0-9a-f]+$/ {
            if (token && token != $4) print "bad"
            token = $4
            print "lookup"
            next
        }
        /^SIO_ASSOCIATE_PORT_RESERVATION succeeded$/ { print "associate"; next }
        /^bind to port 0 succeeded: port [0-9]+$/ {
            if ($NF < start || $NF >= start + count || drawn[$NF]++) print "bad"
            print "bind"
            next
        }
        /^DeletePersistent(Tcp|Udp)PortReservation succeeded$/ { print "delete"; next }
        { print }' "$work/output" | paste -s -d ' ')
    echo "steps: $steps"
    [ "$steps" = "$wanted" ]
}

persist_fails_at()
{
    program=$build/x86_64-windows/persist.exe
    fails_at "$@"
}

# Exit code and message for what cannot be done.
fails_at()
{
    code=0
    "$tawny" run "$program" "$@" >"$work/output" 2>&1 || code=$?
    cat "$work/output"
    [ "$code" = "$wanted_code" ] && tr -d '\r' <"$work/output" | grep -q "$wanted"
}

# A line of the trace for each call, with its arguments, and one with its result.
traces()
{
    WINEDEBUG=+portpool,+ws2_32 "$tawny" run "$program" inet tcp 50100 10 >"$work/output" 2>&1
    cat "$work/output"
    for code in ACQUIRE ASSOCIATE RELEASE; do
        grep -q "trace:ws2_32:.*SIO_${code}_PORT_RESERVATION, in [0-9A-F]* size [48]" \
            "$work/output" &&
            grep -q "trace:ws2_32:.*SIO_${code}_PORT_RESERVATION: success 0" "$work/output" ||
            return 1
    done
    grep -q "trace:portpool:.*10 ports from 50100: success" "$work/output" &&
        grep -q "trace:portpool:.*token [0-9a-f]*: success" "$work/output" &&
        grep -q "trace:portpool:.*port 0: success" "$work/output"
}

traces_failure()
{
    WINEDEBUG=+ws2_32 "$tawny" run "$program" inet tcp 65530 10 >"$work/output" 2>&1
    cat "$work/output"
    grep -q "trace:ws2_32:.*SIO_ACQUIRE_PORT_RESERVATION: error 10022" "$work/output"
}

check "tawny setup" "$tawny" setup

for family in inet inet6; do
    for protocol in tcp udp; do
        start=50100 count=10
        check "reserve $family $protocol 50100 10" all_steps $family $protocol 50100 10
        start=0 count=100
        check "reserve $family $protocol 0 100" all_steps $family $protocol 0 100
    done
done
start=5000 count=20
check "reserve, in the numbers of the document's example" all_steps 2 2 17 5000 20
check "reserve, with a type by name" all_steps inet6 stream tcp 5000 20

wanted_code=1 wanted='SIO_ACQUIRE_PORT_RESERVATION failed with error 10022'
check "a block past 65535 fails" fails_at inet tcp 65530 10
check "a block without ports fails" fails_at inet tcp 50100 0
wanted='SIO_ACQUIRE_PORT_RESERVATION failed with error 10045'
wanted='SIO_ACQUIRE_PORT_RESERVATION failed with error 10045\|socket, for the block failed'
check "a raw socket fails, or cannot be made" fails_at 2 3 255 50100 10
wanted_code=2 wanted='^reserve: .*\.$'
check "no arguments" fails_at
check "too many arguments" fails_at 2 2 17 5000 20 0 0
check "a family that is none" fails_at ipx tcp 5000 20
check "a protocol that is none" fails_at inet sctp 5000 20
check "a port too large" fails_at inet tcp 65536 20
check "a number of ports that is none" fails_at inet tcp 5000 many
wanted_code=0 wanted='^Usage: reserve'
check "reserve --help" fails_at --help

for protocol in tcp udp; do
    name=$(echo "$protocol" | sed 's/t/T/; s/u/U/')
    check "persist $protocol, all steps" persist_steps "create lookup associate bind delete" \
        $protocol 50300 10
    check "persist $protocol, create alone" persist_steps "create" $protocol 50300 10 create
    check "another program looks it up" persist_steps "lookup" $protocol 50300 10 lookup
    check "another draws several ports" persist_steps \
        "lookup associate bind associate bind associate bind" $protocol 50300 10 draw draw draw
    wanted_code=1
    wanted="CreatePersistent${name}PortReservation failed with error 32, ERROR_SHARING_VIOLATION: a port"
    check "the same cannot be created twice" persist_fails_at $protocol 50300 10 create delete
    wanted="DeletePersistent${name}PortReservation failed with error 1168, ERROR_NOT_FOUND: there is no"
    check "a part cannot be deleted" persist_fails_at $protocol 50300 9 delete
    check "all can, after a wait" persist_steps "waiting 0 seconds delete" $protocol 50300 10 \
        wait 0 delete
    wanted="LookupPersistent${name}PortReservation failed with error 1168, ERROR_NOT_FOUND: there is no"
    check "then it cannot be looked up" persist_fails_at $protocol 50300 10 lookup
    check "and not drawn from" persist_fails_at $protocol 50300 10 draw
    wanted="failed with error 87, ERROR_INVALID_PARAMETER: the range"
    for step in create lookup delete; do
        check "port 0 ($step)" persist_fails_at $protocol 0 10 $step
        check "no ports ($step)" persist_fails_at $protocol 50300 0 $step
        check "a range past 65535 ($step)" persist_fails_at $protocol 65530 10 $step
    done
done
check "a step that fails is the last" persist_fails_at tcp 50300 0 create lookup
check "that is" [ "$(grep -c "failed" "$work/output")" = 1 ]
wanted_code=2 wanted='^persist: .*\.$'
check "persist, no arguments" persist_fails_at
check "persist, a protocol that is none" persist_fails_at sctp 50300 10 create
check "persist, a port too large" persist_fails_at tcp 65536 10 create
check "persist, a number of ports that is none" persist_fails_at tcp 50300 many create
check "persist, a step that is none" persist_fails_at tcp 50300 10 create fly
check "persist, waiting for nothing" persist_fails_at tcp 50300 10 create wait
check "which was noticed before the first was done" persist_steps "create delete" tcp 50300 10 create delete
wanted_code=0 wanted='^Usage: persist'
check "persist --help" persist_fails_at --help

program=$build/x86_64-windows/reserve.exe
check "reservation calls are traced" traces
check "a call that fails is traced" traces_failure

finish
