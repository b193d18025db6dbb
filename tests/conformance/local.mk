# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The test programs on their own, in a zip, with a runner that prints one report: for a Windows
# machine, or for whatever takes its place.

CONFORMANCE_EXES = $(WS2_32_TEST) $(IPHLPAPI_TEST) $(MSWSOCK_TEST)
CONFORMANCE_NAME = tawny-conformance-$(VERSION)
CONFORMANCE_ZIP = $(CONFORMANCE_NAME).zip
CONFORMANCE = $(windir)/conformance.exe
# All tests, as the report names them.
CONFORMANCE_TESTS = $(WS2_32_TESTS:%=ws2_32:%) $(IPHLPAPI_TESTS:%=iphlpapi:%) \
	$(MSWSOCK_TESTS:%=mswsock:%)

# What these have in common is with the rest of the tests' in tests/ws2_32.
TEST_UTIL_C += tests/conformance/persistent.c tests/conformance/target.c
TEST_UTIL_H += tests/conformance/target.h

CHECKS += check-conformance
CHECK_FILES += $(CONFORMANCE_ZIP)
MOSTLYCLEANFILES = $(CONFORMANCE_ZIP)
EXTRA_DIST += tests/conformance/README.txt tests/conformance/check tests/conformance/compare \
	tests/conformance/conformance.c

$(CONFORMANCE): $(srcdir)/tests/conformance/conformance.c
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)$(PE_CC) $(PE_CPPFLAGS) -DTAWNY_VERSION='"$(VERSION)"' $(PE_CFLAGS) \
		$(MINGW_CFLAGS) -o $@ $<

# Lines that end as Windows' Notepad wants them.
$(CONFORMANCE_ZIP): $(CONFORMANCE) $(CONFORMANCE_EXES) $(srcdir)/tests/conformance/README.txt
	@rm -rf $@ $(CONFORMANCE_NAME) && $(MKDIR_P) $(CONFORMANCE_NAME)
	@cp $(CONFORMANCE) $(CONFORMANCE_EXES) $(CONFORMANCE_NAME)
	@sed 's/$$/\r/' $(srcdir)/tests/conformance/README.txt >$(CONFORMANCE_NAME)/README.txt
	$(AM_V_GEN)zip -q -X -r $@ $(CONFORMANCE_NAME)
	@rm -rf $(CONFORMANCE_NAME)

.PHONY: conformance check-conformance
conformance: $(CONFORMANCE_ZIP)

check-conformance: all $(CONFORMANCE_ZIP)
	$(srcdir)/tests/conformance/check $(CONFORMANCE_ZIP) tools/tawny $(CONFORMANCE_TESTS)
