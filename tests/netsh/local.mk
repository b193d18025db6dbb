# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Tests of netsh, and of what portpool does for it, in the manner of Wine's: like those of iphlpapi,
# of which they use what is not a test of its own.

NETSH_TESTS = active commands launch list script show
NETSH_TEST_C = $(NETSH_TESTS:%=tests/netsh/%.c) tests/netsh/util.c
NETSH_TEST_H = tests/netsh/util.h
NETSH_TEST = $(windir)/netsh_test.exe

CHECK_PE += $(NETSH_TEST)

EXTRA_DIST += $(NETSH_TEST_C) $(NETSH_TEST_H)

$(windir)/obj/tests/netsh/testlist.c: $(srcdir)/tests/netsh/local.mk
	$(call TEST_LIST,$(NETSH_TESTS))

$(NETSH_TEST_C:%.c=$(windir)/obj/%.o): $(NETSH_TEST_H) include/portpool.h

$(NETSH_TEST): $(NETSH_TEST_C:%.c=$(windir)/obj/%.o) $(TEST_UTIL_C:%.c=$(windir)/obj/%.o) \
		$(windir)/obj/tests/iphlpapi/service.o $(windir)/obj/tests/iphlpapi/util.o \
		$(windir)/obj/tests/netsh/testlist.o
	$(AM_V_GEN)$(PE_CC) $(PE_CFLAGS) $(MINGW_CFLAGS) -o $@ $^ -lws2_32 -liphlpapi
