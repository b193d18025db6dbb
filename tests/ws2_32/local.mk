# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Tests of ws2_32 in the manner of Wine's: one program, a test a file. tests/run-windows runs each
# in a process of its own, in a prefix made for the purpose.

WS2_32_TESTS = acquire affinity associate bind close exports extension handles host implicit \
	inflight input interface kinds lasterror leak many memory msquic \
	overlapped process random release restart sharing threads
WS2_32_TEST_C = $(WS2_32_TESTS:%=tests/ws2_32/%.c)
WS2_32_TEST_H = include/wine/test.h
# These serve other test programs too.
TEST_UTIL_C = tests/ws2_32/exporttable.c tests/ws2_32/outsider.c tests/ws2_32/peer.c \
	tests/ws2_32/processor.c \
	tests/ws2_32/util.c
TEST_UTIL_H = tests/ws2_32/exporttable.h tests/ws2_32/outsider.h tests/ws2_32/peer.h \
	tests/ws2_32/processor.h \
	tests/ws2_32/util.h
WS2_32_TEST = $(windir)/ws2_32_test.exe

CHECKS += check-windows
CHECK_PE += $(WS2_32_TEST)

EXTRA_DIST += $(WS2_32_TEST_C) $(WS2_32_TEST_H) $(TEST_UTIL_C) $(TEST_UTIL_H) tests/run-windows

# A program's list of tests, in the form in which Wine's build makes it.
define TEST_LIST
@$(MKDIR_P) $(@D)
$(AM_V_GEN){ printf '#define STANDALONE\n#include "wine/test.h"\n\n'; \
	printf 'extern void func_%s(void);\n' $(1); \
	printf '\nconst struct test winetest_testlist[] = {\n'; \
	for test in $(1); do printf '    {"%s", func_%s},\n' $$test $$test; done; \
	printf '    {NULL, NULL},\n};\n'; } >$@
endef

$(windir)/obj/tests/ws2_32/testlist.c: $(srcdir)/tests/ws2_32/local.mk
	$(call TEST_LIST,$(WS2_32_TESTS))

$(windir)/obj/tests/%.o: $(srcdir)/tests/%.c $(WS2_32_TEST_H) $(TEST_UTIL_H) \
		$(IPHLPAPI_TEST_H)
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(PE_CC) $(PE_CPPFLAGS) $(PE_CFLAGS) $(MINGW_CFLAGS) -c -o $@ $<

$(windir)/obj/tests/%.o: $(windir)/obj/tests/%.c include/wine/test.h
	$(AM_V_GEN)$(PE_CC) $(PE_CPPFLAGS) $(PE_CFLAGS) $(MINGW_CFLAGS) -c -o $@ $<

$(WS2_32_TEST): $(WS2_32_TEST_C:%.c=$(windir)/obj/%.o) $(TEST_UTIL_C:%.c=$(windir)/obj/%.o) \
		$(windir)/obj/tests/ws2_32/testlist.o
	$(AM_V_GEN)$(PE_CC) $(PE_CFLAGS) $(MINGW_CFLAGS) -o $@ $^ -lws2_32 -liphlpapi

.PHONY: check-windows
check-windows: all check-machine check-i386 $(OUTSIDER)
	$(srcdir)/tests/run-windows . tools/tawny

# What several processes do, some of them 32-bit and some 64-bit. Not of make check: it needs a Wine for
# both.
MIXED_TESTS = ws2_32:process ws2_32:handles iphlpapi:processes iphlpapi:use iphlpapi:endpoints
.PHONY: check-mixed
check-mixed: all check-machine check-i386 $(OUTSIDER)
	@failed=; \
	TAWNY_MACHINE=i386 TAWNY_CHILD_MACHINE=x86_64 \
	  $(srcdir)/tests/run-windows . tools/tawny $(MIXED_TESTS) || failed=yes; \
	TAWNY_MACHINE=x86_64 TAWNY_CHILD_MACHINE=i386 \
	  $(srcdir)/tests/run-windows . tools/tawny $(MIXED_TESTS) || failed=yes; \
	test -z "$$failed"
