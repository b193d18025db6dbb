# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Fuzzing of what reads what others have written: made with libFuzzer and the sanitizers, without
# Wine. It takes a compiler that not everybody has, and time, and is no part of make check.
# tests/fuzz/run runs it, and says more.

FUZZ_TARGETS = fuzz/rangename fuzz/netsh-arguments fuzz/hivefile fuzz/hivewritten fuzz/journal \
	fuzz/report fuzz/requestslot fuzz/porttable
FUZZ_FLAGS = -O2 $(NATIVE_CFLAGS) -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer

# A target's corpus is all that is in its directory: seeds, and what was found.
EXTRA_DIST += $(FUZZ_TARGETS:fuzz/%=tests/fuzz/%.c) tests/fuzz/corpus \
	tests/fuzz/fuzz.h tests/fuzz/run

FUZZ_STORED_C = dlls/portpool/rangename.c dlls/portpool/unix/record.c tools/show/memory.c \
	tools/show/stored.c tools/show/text.c

# What a target includes, to get at what is static there.
FUZZ_INCLUDED_C = dlls/portpool/unix/journal.c

fuzz/rangename: tests/fuzz/rangename.c $(FUZZ_STORED_C)
fuzz/netsh-arguments: tests/fuzz/netsh-arguments.c $(NETSH_ARGUMENTS_FILES)
fuzz/hivefile: tests/fuzz/hivefile.c tools/show/hivefile.c dlls/portpool/unix/hive.c \
	$(FUZZ_STORED_C)
fuzz/hivewritten: tests/fuzz/hivewritten.c tools/show/hivefile.c dlls/portpool/unix/hive.c
fuzz/journal: tests/fuzz/journal.c $(FUZZ_INCLUDED_C) dlls/portpool/unix/hive.c $(FUZZ_STORED_C)
fuzz/report: tests/fuzz/report.c tools/show/report.c $(FUZZ_STORED_C)
fuzz/requestslot: tests/fuzz/requestslot.c $(REQUESTSLOT_FILES)
fuzz/porttable: tests/fuzz/porttable.c $(PORTTABLE_FILES)

$(FUZZ_TARGETS): tests/fuzz/fuzz.h $(SHOW_H) $(PORTPOOL_UNIX_H) dlls/portpool/rangename.h
	@test -n "$(FUZZ_CC)" || { \
	  echo "There is no compiler with libFuzzer: install the Debian packages clang and" \
	    "libclang-rt-dev, then run configure again." >&2; exit 1; }
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(FUZZ_CC) $(FUZZ_FLAGS) -o $@ $(filter-out %$(FUZZ_INCLUDED_C),$(filter %.c,$^))

.PHONY: check-fuzz
check-fuzz: $(FUZZ_TARGETS)
	$(SHELL) $(srcdir)/tests/fuzz/run $(FUZZ_TARGETS:%=./%)

clean-local: clean-fuzz
.PHONY: clean-fuzz
clean-fuzz:
	rm -rf fuzz
