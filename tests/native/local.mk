# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Tests that need no Wine: of the port table, and of portpool's Unix side, made with the sanitizers.
# tests/native/run runs them.

NATIVE_CFLAGS = -g -std=gnu11 -I$(srcdir) $(WARNINGS)
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
SANITIZE_THREADS = -fsanitize=thread

PORTTABLE_TESTS = native/porttable native/porttable-persistent native/porttable-processes \
	native/porttable-sharing native/porttable-threads
HOST_TESTS = native/process native/sockets native/watch native/placeholder native/occupied \
	native/precedence native/privileged native/automatic native/lending native/restore native/shared \
	native/sharing \
	native/users native/journal native/unixlib
# Those that have threads are made once more, with ThreadSanitizer.
PORTTABLE_TSAN_TESTS = native/porttable-threads-tsan native/porttable-sharing-tsan
HOST_TSAN_TESTS = native/lending-tsan native/occupied-tsan native/process-tsan \
	native/restore-tsan native/shared-tsan
NATIVE_TESTS = $(PORTTABLE_TESTS) $(PORTTABLE_TSAN_TESTS) \
	native/rangename native/requestslot native/requestslot-tsan native/netsh-arguments \
	$(HOST_TESTS) $(HOST_TSAN_TESTS) native/outsider-protocol

NATIVE_TEST_H = tests/native/network.h tests/native/outsiders.h tests/native/test.h
PORTTABLE_FILES = dlls/portpool/porttable.c dlls/portpool/porttable.h
RANGENAME_FILES = dlls/portpool/rangename.c dlls/portpool/rangename.h
NETSH_ARGUMENTS_FILES = tools/netsh/arguments.c tools/netsh/arguments.h
REQUESTSLOT_FILES = dlls/portpool/requestslot.c dlls/portpool/requestslot.h

# Commanded by these tests and by those of the Windows side.
OUTSIDER = native/outsider

EXTRA_DIST += $(PORTTABLE_TESTS:%=tests/%.c) $(HOST_TESTS:%=tests/%.c) $(NATIVE_TEST_H) \
	tests/native/netsh-arguments.c tests/native/network.c tests/native/outsider.c tests/native/outsider-protocol.c \
	tests/native/rangename.c tests/native/requestslot.c \
	tests/native/library tests/native/run

CHECKS += check-native
CHECK_FILES += $(NATIVE_TESTS) $(OUTSIDER)

$(PORTTABLE_TESTS): native/%: tests/native/%.c $(NATIVE_TEST_H) $(PORTTABLE_FILES)
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(CC) $(NATIVE_CFLAGS) $(CFLAGS) $(SANITIZE) -o $@ $(filter %.c,$^) -pthread

$(PORTTABLE_TSAN_TESTS): native/%-tsan: tests/native/%.c $(NATIVE_TEST_H) $(PORTTABLE_FILES)
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(CC) $(NATIVE_CFLAGS) $(CFLAGS) $(SANITIZE_THREADS) -o $@ $(filter %.c,$^) -pthread

native/rangename: tests/native/rangename.c $(NATIVE_TEST_H) $(RANGENAME_FILES)
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(CC) $(NATIVE_CFLAGS) $(CFLAGS) $(SANITIZE) -o $@ $(filter %.c,$^)

native/netsh-arguments: tests/native/netsh-arguments.c $(NATIVE_TEST_H) $(NETSH_ARGUMENTS_FILES)
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(CC) $(NATIVE_CFLAGS) $(CFLAGS) $(SANITIZE) -o $@ $(filter %.c,$^)

native/requestslot: tests/native/requestslot.c $(NATIVE_TEST_H) $(REQUESTSLOT_FILES)
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(CC) $(NATIVE_CFLAGS) $(CFLAGS) $(SANITIZE) -o $@ $(filter %.c,$^) -pthread

native/requestslot-tsan: tests/native/requestslot.c $(NATIVE_TEST_H) $(REQUESTSLOT_FILES)
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(CC) $(NATIVE_CFLAGS) $(CFLAGS) $(SANITIZE_THREADS) -o $@ $(filter %.c,$^) -pthread

$(HOST_TESTS): native/%: tests/native/%.c tests/native/network.c $(NATIVE_TEST_H) \
		$(PORTPOOL_UNIX_C) $(PORTPOOL_UNIX_H)
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(CC) $(NATIVE_CFLAGS) $(CFLAGS) $(SANITIZE) -o $@ $(filter %.c,$^) -pthread -ldl

$(HOST_TSAN_TESTS): native/%-tsan: tests/native/%.c tests/native/network.c $(NATIVE_TEST_H) \
		$(PORTPOOL_UNIX_C) $(PORTPOOL_UNIX_H)
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(CC) $(NATIVE_CFLAGS) $(CFLAGS) $(SANITIZE_THREADS) -o $@ $(filter %.c,$^) \
		-pthread -ldl

native/outsider-protocol: tests/native/outsider-protocol.c tests/native/network.c $(NATIVE_TEST_H)
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(CC) $(NATIVE_CFLAGS) $(CFLAGS) $(SANITIZE) -o $@ $(filter %.c,$^)

native/outsider: tests/native/outsider.c
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(CC) $(NATIVE_CFLAGS) $(CFLAGS) -o $@ $<

.PHONY: check-native
check-native: $(NATIVE_TESTS) $(OUTSIDER) $(unixdir)/portpool.so all-i386
	@failed=; \
	$(SHELL) $(srcdir)/tests/native/run $(NATIVE_TESTS:%=./%) || failed=yes; \
	for machine in x86_64 i386; do \
	  $(SHELL) $(srcdir)/tests/native/library $$machine-unix/portpool.so || failed=yes; \
	done; \
	test -z "$$failed"

clean-local: clean-native
.PHONY: clean-native
clean-native:
	rm -rf native
