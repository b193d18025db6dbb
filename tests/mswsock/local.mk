# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Tests of mswsock's service provider in the manner of Wine's, like those of ws2_32.

MSWSOCK_TESTS = exports provider
MSWSOCK_TEST_C = $(MSWSOCK_TESTS:%=tests/mswsock/%.c)
MSWSOCK_TEST = $(windir)/mswsock_test.exe

CHECK_PE += $(MSWSOCK_TEST)

EXTRA_DIST += $(MSWSOCK_TEST_C)

$(windir)/obj/tests/mswsock/testlist.c: $(srcdir)/tests/mswsock/local.mk
	$(call TEST_LIST,$(MSWSOCK_TESTS))

$(MSWSOCK_TEST): $(MSWSOCK_TEST_C:%.c=$(windir)/obj/%.o) $(TEST_UTIL_C:%.c=$(windir)/obj/%.o) \
		$(windir)/obj/tests/mswsock/testlist.o
	$(AM_V_GEN)$(PE_CC) $(PE_CFLAGS) $(MINGW_CFLAGS) -o $@ $^ -lws2_32
