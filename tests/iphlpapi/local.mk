# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Tests of iphlpapi's persistent reservations in the manner of Wine's, like those of ws2_32. What is
# in tests/ws2_32 and not a test of its own serves both programs.

IPHLPAPI_TESTS = create endpoints exports holder input privilege processes refusal store tokens use
IPHLPAPI_TEST_C = $(IPHLPAPI_TESTS:%=tests/iphlpapi/%.c) tests/iphlpapi/service.c \
	tests/iphlpapi/util.c
IPHLPAPI_TEST_H = tests/iphlpapi/service.h tests/iphlpapi/util.h
IPHLPAPI_TEST = $(windir)/iphlpapi_test.exe

CHECK_PE += $(IPHLPAPI_TEST)

EXTRA_DIST += $(IPHLPAPI_TEST_C) $(IPHLPAPI_TEST_H)

$(windir)/obj/tests/iphlpapi/testlist.c: $(srcdir)/tests/iphlpapi/local.mk
	$(call TEST_LIST,$(IPHLPAPI_TESTS))

$(IPHLPAPI_TEST): $(IPHLPAPI_TEST_C:%.c=$(windir)/obj/%.o) $(TEST_UTIL_C:%.c=$(windir)/obj/%.o) \
		$(windir)/obj/tests/iphlpapi/testlist.o
	$(AM_V_GEN)$(PE_CC) $(PE_CFLAGS) $(MINGW_CFLAGS) -o $@ $^ -lws2_32 -liphlpapi
